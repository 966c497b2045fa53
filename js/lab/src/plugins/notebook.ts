// From a dataset to a cell that opens it: a button, a command, a drag.
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette, Notification } from "@jupyterlab/apputils";
import { INotebookTracker } from "@jupyterlab/notebook";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import type { TranslationBundle } from "@jupyterlab/translation";
import { ITranslator, nullTranslator } from "@jupyterlab/translation";
import { asDataError } from "../../../src/data/source.ts";
import type { Dataset, Ref } from "../../../src/data/types.ts";
import type { DataPanel } from "../components/panel.ts";
import { dragFrom } from "../drag.ts";
import type { Inserted } from "../insert.ts";
import { insertCode, snippetOf } from "../insert.ts";
import { COMMANDS, IDataPanel } from "../tokens.ts";

export const notebookPlugin: JupyterFrontEndPlugin<void> = {
  id: "@nearfield/lab:notebook",
  description: "Inserts a cell that opens a dataset.",
  autoStart: true,
  requires: [IDataPanel],
  optional: [INotebookTracker, ISettingRegistry, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    given: IDataPanel,
    tracker: INotebookTracker | null,
    registry: ISettingRegistry | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null,
  ): void => {
    // Without notebooks there is nothing to insert into.
    if (!tracker) return;
    const trans = (translator ?? nullTranslator).load("nearfield");
    const panel = given as DataPanel;
    const place = async (dataset: Ref | Dataset): Promise<Inserted> => {
      const loaded = await registry?.load("@nearfield/lab:data").catch(() => null);
      const run = loaded?.composite["runInserted"] === true;
      return insertCode(app, tracker, await snippetOf(panel.source, dataset), run);
    };
    let placing: { pid: string; done: Promise<Inserted> } | null = null;
    const insert = async (dataset: Ref | Dataset): Promise<void> => {
      // A double click is one wish; another dataset goes into the notebook that is being made.
      if (placing?.pid === dataset.pid) return;
      const before = placing?.done.catch(() => undefined);
      const mine = (placing = { pid: dataset.pid, done: Promise.resolve(before).then(() => place(dataset)) });
      const over = (): void => {
        if (placing === mine) placing = null;
      };
      try {
        await tell(await mine.done.finally(over), trans);
      } catch (error) {
        Notification.error(trans.__("The dataset was not inserted: %1", asDataError(error).message));
      }
    };

    app.commands.addCommand(COMMANDS.insert, {
      label: trans.__("Insert Dataset into Notebook"),
      caption: trans.__("A cell that opens it, in the notebook in front or a new one"),
      describedBy: { args: { type: "object", properties: { pid: { type: "string" }, source: { type: "string" } } } },
      isEnabled: (args) => typeof args["pid"] === "string" || panel.current !== undefined || panel.model.card !== null,
      execute: (args) => {
        if (typeof args["pid"] === "string") {
          const source = typeof args["source"] === "string" ? args["source"] : null;
          return insert({ pid: args["pid"], source });
        }
        const { card } = panel.model;
        const chosen = card?.dataset ?? card?.ref ?? panel.current;
        return chosen ? insert({ ...chosen, source: chosen.source ?? null }) : undefined;
      },
    });
    palette?.addItem({ command: COMMANDS.insert, category: "Nearfield" });
    panel.addAction({ label: trans.__("Insert into notebook"), primary: true, run: (dataset) => void insert(dataset) });
    panel.grab = (dataset, event) => dragFrom(panel.source, dataset, event);
  },
};

/** Says where it is: once its kernel can run it, or that this takes long. */
async function tell({ panel, kernel }: Inserted, trans: TranslationBundle): Promise<void> {
  const name = panel.title.label;
  let said: string | undefined;
  // A kernel that is there answers at once: then there is one thing to say.
  const starting = trans.__("The kernel of %1 is starting", name);
  const soon = setTimeout(() => (said = Notification.emit(starting, "in-progress", { autoClose: false })), 300);
  const state = await kernel;
  clearTimeout(soon);
  const [message, type] =
    state === "late"
      ? ([trans.__("Inserted into %1, but its kernel has not started yet. Run the cell when the kernel is idle.", name), "warning"] as const)
      : ([trans.__("Inserted into %1", name), "success"] as const);
  const autoClose = state === "late" ? false : 3000;
  if (said) Notification.update({ id: said, message, type, autoClose });
  else Notification.emit(message, type, { autoClose });
}
