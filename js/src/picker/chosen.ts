// The chosen datasets as chips below the search.
import { h } from "../lib/dom.ts";
import type { Trans } from "../data/trans.ts";

export class Chosen {
  readonly node: HTMLElement;
  private readonly list: HTMLUListElement;
  private readonly words: HTMLElement;
  private readonly trans: Trans;
  private readonly remove: (pid: string) => void;
  /** Titles of what has been seen; a PID that came from Python has none. */
  private readonly titles = new Map<string, string>();

  constructor(trans: Trans, remove: (pid: string) => void) {
    this.trans = trans;
    this.remove = remove;
    this.words = h("p", { class: "nf-chosen-words", role: "status" });
    this.list = h("ul", { class: "nf-chosen-list", "aria-label": trans.__("Chosen datasets") });
    this.node = h("div", { class: "nf-chosen" }, this.words, this.list);
  }

  know(pid: string, title: string | null): void {
    if (title) this.titles.set(pid, title);
  }

  show(pids: readonly string[]): void {
    const held = this.list.contains(document.activeElement) ? [...this.list.children].findIndex((item) => item.contains(document.activeElement)) : -1;
    this.words.textContent = pids.length ? this.trans._n("%1 dataset chosen", "%1 datasets chosen", pids.length) : this.trans.__("None chosen");
    this.list.replaceChildren(...pids.map((pid) => this.chip(pid)));
    this.list.hidden = pids.length === 0;
    // The button that had the focus is gone: the next one has it.
    if (held >= 0) this.list.children[Math.min(held, pids.length - 1)]?.querySelector("button")?.focus();
  }

  private chip(pid: string): HTMLLIElement {
    const title = this.titles.get(pid) ?? pid;
    const close = h("button", { type: "button", class: "nf-link", "aria-label": this.trans.__("Remove %1", title), onclick: () => this.remove(pid) }, "×");
    return h("li", { class: "nf-chip", title: pid, "data-pid": pid }, h("span", { class: "nf-chip-title", dir: "auto" }, title), close);
  }
}
