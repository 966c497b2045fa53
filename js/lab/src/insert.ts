// A cell that opens a dataset: in the notebook in front, or in a new one.
import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { INotebookTracker, NotebookPanel } from "@jupyterlab/notebook";
import { NotebookActions } from "@jupyterlab/notebook";
import { basicSnippet } from "./snippet.ts";
import type { DataSource } from "../../src/data/source.ts";
import type { Dataset, Ref } from "../../src/data/types.ts";

/** The code of a dataset: the server's own, which knows what is in it. */
export async function snippetOf(source: DataSource, dataset: Ref | Dataset): Promise<string> {
  if ("snippet" in dataset && dataset.snippet) return dataset.snippet;
  const ref = { pid: dataset.pid, source: dataset.source ?? null };
  const found = await source.dataset(ref, new AbortController().signal).catch(() => null);
  return found?.snippet || basicSnippet(dataset.pid);
}

/** The notebook that somebody works in, else a new one with the default kernel. */
async function notebook(app: JupyterFrontEnd, tracker: INotebookTracker): Promise<NotebookPanel> {
  const now = tracker.currentWidget;
  if (now && !now.isDisposed) return now;
  await app.serviceManager.kernelspecs.ready;
  const kernelName = app.serviceManager.kernelspecs.specs?.default;
  const made = (await app.commands.execute("notebook:create-new", { activate: true, kernelName })) as NotebookPanel;
  await made.context.ready;
  await made.revealed;
  return made;
}

/** Inserts `code` below the active cell, or into it where it is empty, and goes there. */
export async function insertCode(app: JupyterFrontEnd, tracker: INotebookTracker, code: string, run: boolean): Promise<NotebookPanel> {
  const panel = await notebook(app, tracker);
  const { content } = panel;
  const active = content.activeCell?.model;
  if (!active || active.type !== "code" || active.sharedModel.getSource().trim()) NotebookActions.insertBelow(content);
  content.activeCell?.model.sharedModel.setSource(code);
  app.shell.activateById(panel.id);
  content.deselectAll();
  content.mode = "command";
  content.activate();
  if (run) void NotebookActions.run(content, panel.sessionContext);
  return panel;
}
