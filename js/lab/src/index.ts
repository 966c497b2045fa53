// Wires the plugins. Views of templates, runs and sessions will be plugins beside these.
import { commandsPlugin } from "./plugins/commands.ts";
import { notebookPlugin } from "./plugins/notebook.ts";
import { panelPlugin } from "./plugins/panel.ts";

export { IDataPanel } from "./tokens.ts";
export default [panelPlugin, commandsPlugin, notebookPlugin];
