// Each action of the panel as a command: in the palette, the menus, and for shortcuts.
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { Clipboard, ICommandPalette, Notification } from "@jupyterlab/apputils";
import { ITranslator, nullTranslator } from "@jupyterlab/translation";
import type { DataPanel } from "../components/panel.ts";
import { dataIcon } from "../icon.ts";
import { COMMANDS, IDataPanel } from "../tokens.ts";

export const commandsPlugin: JupyterFrontEndPlugin<void> = {
  id: "@nearfield/lab:commands",
  description: "Commands of the panel Data.",
  autoStart: true,
  requires: [IDataPanel],
  optional: [ICommandPalette, ITranslator],
  activate: (app: JupyterFrontEnd, given: IDataPanel, palette: ICommandPalette | null, translator: ITranslator | null): void => {
    const trans = (translator ?? nullTranslator).load("nearfield");
    const panel = given as DataPanel;
    const { model, view } = panel;
    const current = (): boolean => panel.current !== undefined || model.card !== null;
    const copy = (pid: string): void => {
      Clipboard.copyToSystem(pid);
      Notification.success(trans.__("PID copied: %1", pid), { autoClose: 2000 });
    };
    const add = (id: string, label: string, execute: () => unknown, isEnabled: () => boolean = () => true): void => {
      app.commands.addCommand(id, {
        label,
        execute,
        isEnabled,
        describedBy: { args: { type: "object", properties: {} } },
        ...(id === COMMANDS.open ? { icon: dataIcon } : {}),
      });
      palette?.addItem({ command: id, category: "Nearfield" });
    };

    add(COMMANDS.open, trans.__("Search Datasets"), () => {
      app.shell.activateById(panel.id);
      if (!model.card) view.focusSearch();
    });
    add(COMMANDS.card, trans.__("Show Dataset"), () => panel.current && panel.open({ pid: panel.current.pid, source: panel.current.source ?? null }), current);
    add(COMMANDS.results, trans.__("Back to the Datasets Found"), () => model.open(null), () => model.card !== null);
    add(COMMANDS.copyPid, trans.__("Copy PID of Dataset"), () => copy(model.card?.ref.pid ?? panel.current?.pid ?? ""), current);
    add(
      COMMANDS.landingPage,
      trans.__("Open Landing Page of Dataset"),
      () => view.node.querySelector<HTMLAnchorElement>(".nf-card a[href]")?.click(),
      () => Boolean(model.card?.dataset?.landing_page ?? model.card?.dataset?.doi),
    );
    add(COMMANDS.refresh, trans.__("Search Datasets Again"), () => model.again());
    add(COMMANDS.more, trans.__("Load More Datasets"), () => model.more(), () => model.next !== null);
    add(COMMANDS.filters, trans.__("Show or Hide Filters of Datasets"), () => model.showFacets(!model.facetsWanted));
    add(COMMANDS.clear, trans.__("Clear Search for Datasets"), () => panel.search(""));
    panel.addAction({ label: trans.__("Copy PID"), run: (dataset) => copy(dataset.pid) });
    model.follow(() => app.commands.notifyCommandChanged());
  },
};
