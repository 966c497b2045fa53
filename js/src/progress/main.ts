// The progress of a reduction in a notebook: a bar, words, and a button that interrupts the kernel.
import { h } from "../lib/dom.ts";

/** The traits of the Python class. */
interface Traits {
  share: number;
  words: string;
}

interface Model {
  get<K extends keyof Traits>(name: K): Traits[K];
  on(event: string, heard: () => void): void;
  off(event: string, heard: () => void): void;
}

// A kernel that computes hears no widget. JupyterLab runs the command of a button that names one.
const INTERRUPT = "notebook:interrupt-kernel";

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const words = h("span", { class: "nf-progress-words" });
  const percent = h("span", { class: "nf-progress-percent" });
  const filled = h("div", { class: "nf-progress-filled" });
  const bar = h(
    "div",
    {
      class: "nf-progress-bar",
      role: "progressbar",
      "aria-label": "Reduction",
      "aria-valuemin": "0",
      "aria-valuemax": "100",
    },
    filled,
  );
  const cancel = h(
    "button",
    {
      class: "nf-progress-cancel",
      type: "button",
      title: "Interrupt the kernel",
      "data-commandlinker-command": INTERRUPT,
      "data-commandlinker-args": "{}",
      onclick: () => {
        cancel.textContent = "Cancelling\u2026";
      },
    },
    "Cancel",
  );
  cancel.hidden = document.querySelector(".jp-Notebook") === null;
  el.append(h("div", { class: "nf-progress" }, h("div", { class: "nf-progress-line" }, words, percent, cancel), bar));

  const show = (): void => {
    const share = 100 * model.get("share");
    words.textContent = model.get("words");
    percent.textContent = `${share.toFixed(0)} %`;
    filled.style.width = `${share}%`;
    bar.setAttribute("aria-valuenow", share.toFixed(1));
  };
  const events = ["change:share", "change:words"];
  for (const event of events) model.on(event, show);
  show();
  return () => {
    for (const event of events) model.off(event, show);
  };
}

export default { render };
