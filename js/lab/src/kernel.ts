// A notebook's kernel takes seconds to start, and JupyterLab forgets what is run before it is there.
import type { Notebook, NotebookPanel } from "@jupyterlab/notebook";
import { NotebookActions } from "@jupyterlab/notebook";

/** `there`; `none` where the notebook has none and none starts; `late` after `patience` ms. */
export type KernelState = "there" | "none" | "late";

type Cell = Notebook["widgets"][number];

/** On a busy node a kernel takes a while; the notebook can be used before it is there, and after. */
const PATIENCE = 60_000;

/** Has the kernel that is starting said who it is? */
export async function kernelOf(panel: NotebookPanel, patience = PATIENCE): Promise<KernelState> {
  const { sessionContext } = panel;
  const there = async (): Promise<KernelState> => {
    await sessionContext.ready;
    const kernel = sessionContext.session?.kernel;
    if (!kernel) return "none";
    await kernel.info;
    return "there";
  };
  let end = (): void => undefined;
  const given = new Promise<KernelState>((tell) => {
    const timer = setTimeout(() => tell("late"), patience);
    const closed = (): void => tell("none");
    panel.disposed.connect(closed);
    end = () => {
      clearTimeout(timer);
      panel.disposed.disconnect(closed);
    };
  });
  // A kernel that fails is told by JupyterLab itself.
  return Promise.race([given, there().catch((): KernelState => "late")]).finally(() => end());
}

/** Cells that somebody runs before `ready` are run once the kernel is there. */
export async function runWhenReady(panel: NotebookPanel, ready: Promise<KernelState>): Promise<void> {
  const { content, sessionContext } = panel;
  const asked: Cell[] = [];
  const note = (_: unknown, { notebook, cell }: { notebook: Notebook; cell: Cell }): void => {
    // With a kernel JupyterLab keeps the request itself until there is a connection.
    if (notebook === content && !sessionContext.session?.kernel && !asked.includes(cell)) asked.push(cell);
  };
  NotebookActions.executionScheduled.connect(note);
  const state = await ready.finally(() => NotebookActions.executionScheduled.disconnect(note));
  const left = asked.filter((cell) => !cell.isDisposed);
  if (state === "there" && left.length) await NotebookActions.runCells(content, left, sessionContext);
}
