// The panel itself: made once, restored where it was, found by other plugins through its token.
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ILayoutRestorer } from "@jupyterlab/application";
import { PageConfig, URLExt } from "@jupyterlab/coreutils";
import { ServerConnection } from "@jupyterlab/services";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { IStateDB } from "@jupyterlab/statedb";
import { ITranslator, nullTranslator } from "@jupyterlab/translation";
import type { Settings } from "../../../src/data/model.ts";
import type { Ref } from "../../../src/data/types.ts";
import { DataPanel } from "../components/panel.ts";
import { dataIcon } from "../icon.ts";
import { RestSource } from "../rest.ts";
import { IDataPanel } from "../tokens.ts";

const ID = "@nearfield/lab:data";

/** Where one logs in again: at the hub, else at the server itself. */
function login(): void {
  const hub = PageConfig.getOption("hubPrefix");
  const page = hub ? `${PageConfig.getOption("hubHost")}${URLExt.join(hub, "logout")}` : URLExt.join(PageConfig.getBaseUrl(), "login");
  window.open(page, "_blank", "noopener");
}

export const panelPlugin: JupyterFrontEndPlugin<IDataPanel> = {
  id: ID,
  description: "The panel Data: search for datasets in all catalogues of the site.",
  autoStart: true,
  provides: IDataPanel,
  optional: [ILayoutRestorer, ISettingRegistry, IStateDB, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    restorer: ILayoutRestorer | null,
    registry: ISettingRegistry | null,
    state: IStateDB | null,
    translator: ITranslator | null,
  ): IDataPanel => {
    const trans = (translator ?? nullTranslator).load("nearfield");
    const settings = app.serviceManager.serverSettings;
    const source = new RestSource((path, init) =>
      ServerConnection.makeRequest(`${URLExt.join(settings.baseUrl, "nearfield/api")}/${path}`, init, settings),
    );
    const panel = new DataPanel(source, trans, login, () => app.shell.activateById(panel.id));
    panel.title.icon = dataIcon;
    app.shell.add(panel, "left", { rank: 150, type: "Data" });
    restorer?.add(panel, panel.id);

    void registry?.load(ID).then((loaded) => {
      let before: Settings | undefined;
      const use = (): void => {
        const { limit, order, facets } = loaded.composite as Record<string, unknown>;
        const now: Settings = { limit: Number(limit) || 50, order: order === "relevance" ? order : "newest", facets: facets === true };
        // What was chosen in the panel since then stays, unless it is that setting which changes.
        const changed = Object.entries(now).filter(([name, value]) => value !== before?.[name as keyof Settings]);
        before = now;
        panel.model.use(Object.fromEntries(changed));
      };
      loaded.changed.connect(use);
      use();
    });
    if (state) void remember(app, panel, state);
    return panel;
  },
};

/** Search and card come back with the layout. */
async function remember(app: JupyterFrontEnd, panel: DataPanel, state: IStateDB): Promise<void> {
  const kept = (await state.fetch(ID).catch(() => null)) as { query?: unknown; card?: unknown } | null;
  const card = kept?.card as Partial<Ref> | null | undefined;
  const ref = card && typeof card.pid === "string" ? { pid: card.pid, source: typeof card.source === "string" ? card.source : null } : null;
  panel.restore(typeof kept?.query === "string" ? kept.query : "", ref);
  await app.restored;
  panel.begin();
  panel.model.follow((change) => {
    if (change !== "query" && change !== "card") return;
    const { query, card: open } = panel.model;
    // A server that is gone is told by the search; that this was not kept is no news then.
    state.save(ID, { query, card: open ? { ...open.ref } : null }).catch(() => undefined);
  });
}
