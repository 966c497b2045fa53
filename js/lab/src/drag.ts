// Dragging a dataset into a notebook, as a cell that opens it.
import { MimeData } from "@lumino/coreutils";
import { Drag } from "@lumino/dragdrop";
import { basicSnippet } from "./snippet.ts";
import type { DataSource } from "../../src/data/source.ts";
import type { Summary } from "../../src/data/types.ts";

/** What notebooks take: cells, as nbformat has them. */
const CELLS = "application/vnd.jupyter.cells";
const TEXT = "text/plain";
const FAR = 5;

/** A text, for editors of files, that is known when it is dropped. */
class LateText extends MimeData {
  private readonly text: () => string;

  constructor(text: () => string) {
    super();
    this.text = text;
  }

  override getData(mime: string): unknown {
    return mime === TEXT ? this.text() : super.getData(mime);
  }
}

/** Follows the pointer that went down on `dataset`; a drag begins once it has gone some way. */
export function dragFrom(source: DataSource, dataset: Summary, down: PointerEvent): void {
  const asking = new AbortController();
  const ref = { pid: dataset.pid, source: dataset.source ?? null };
  let code = basicSnippet(dataset.pid);
  // The server's own code takes as long as the way to the notebook; without it the plain one does.
  const told = (): void =>
    void source.dataset(ref, asking.signal).then(
      (found) => (code = found.snippet || code),
      () => undefined,
    );
  let began = false;

  const move = (event: PointerEvent): void => {
    if (Math.abs(event.clientX - down.clientX) < FAR && Math.abs(event.clientY - down.clientY) < FAR) return;
    began = true;
    stop();
    told();
    start(event);
  };
  const stop = (): void => {
    document.removeEventListener("pointermove", move, true);
    document.removeEventListener("pointerup", stop, true);
    document.removeEventListener("pointercancel", stop, true);
    if (!began) asking.abort();
  };
  const start = (event: PointerEvent): void => {
    // Asked for when it is dropped: by then the server has answered.
    const data = new LateText(() => code);
    const cells = [{ cell_type: "code", source: "", metadata: {}, outputs: [], execution_count: null }];
    Object.defineProperty(cells[0], "source", { enumerable: true, get: () => code });
    data.setData(CELLS, cells);
    data.setData(TEXT, code);
    const drag = new Drag({
      mimeData: data,
      dragImage: image(dataset),
      supportedActions: "copy-move",
      proposedAction: "copy",
      source: dataset,
    });
    void drag.start(event.clientX, event.clientY).then(() => {
      asking.abort();
      drag.dispose();
    });
  };
  document.addEventListener("pointermove", move, true);
  document.addEventListener("pointerup", stop, true);
  document.addEventListener("pointercancel", stop, true);
}

function image(dataset: Summary): HTMLElement {
  const made = document.createElement("div");
  made.className = "nf-drag";
  made.textContent = dataset.title || dataset.pid;
  return made;
}
