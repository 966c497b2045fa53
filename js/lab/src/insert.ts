// A cell that opens a dataset: in the notebook in front, or in a new one.
import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { INotebookTracker, NotebookPanel } from "@jupyterlab/notebook";
import { NotebookActions } from "@jupyterlab/notebook";
import type { KernelState } from "./kernel.ts";
import { kernelOf, runWhenReady } from "./kernel.ts";
import { basicSnippet } from "./snippet.ts";
import type { DataSource } from "../../src/data/source.ts";
import type { Dataset, Ref } from "../../src/data/types.ts";

export interface Inserted {
  panel: NotebookPanel;
  /** Settles when a cell that is run there is really run, and says so if that takes too long. */
  kernel: Promise<KernelState>;
}

/** The code of a dataset: the server's own, which knows what is in it. */
export async function snippetOf(source: DataSource, dataset: Ref | Dataset): Promise<string> {
  if ("snippet" in dataset && dataset.snippet) return dataset.snippet;
  const ref = { pid: dataset.pid, source: dataset.source ?? null };
  const found = await source.dataset(ref, new AbortController().signal).catch(() => null);
  return found?.snippet || basicSnippet(dataset.pid);
}

/** A new notebook with the default kernel, which is still starting. */
async function newNotebook(app: JupyterFrontEnd): Promise<NotebookPanel> {
  await app.serviceManager.kernelspecs.ready;
  const kernelName = app.serviceManager.kernelspecs.specs?.default;
  const made = (await app.commands.execute("notebook:create-new", { activate: true, kernelName })) as NotebookPanel;
  await made.context.ready;
  await made.revealed;
  return made;
}

/** Inserts `code` below the active cell, or into it where it is empty, and goes there. */
export async function insertCode(app: JupyterFrontEnd, tracker: INotebookTracker, code: string, run: boolean): Promise<Inserted> {
  // The notebook that somebody works in, if there is one.
  const now = tracker.currentWidget;
  const open = now && !now.isDisposed ? now : null;
  const panel = open ?? (await newNotebook(app));
  const { content, sessionContext } = panel;
  const active = content.activeCell?.model;
  if (!active || active.type !== "code" || active.sharedModel.getSource().trim()) NotebookActions.insertBelow(content);
  content.activeCell?.model.sharedModel.setSource(code);
  app.shell.activateById(panel.id);
  content.deselectAll();
  content.mode = "command";
  content.activate();
  // A notebook that has none asks for one when something is run in it.
  const kernel = open && sessionContext.hasNoKernel ? Promise.resolve<KernelState>("none") : kernelOf(panel);
  void runWhenReady(panel, kernel);
  if (run) void NotebookActions.run(content, sessionContext);
  return { panel, kernel };
}
