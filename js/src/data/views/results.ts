// The list of what was found: one stop of the Tab key, the arrows move in it.
import { h, say } from "../../lib/dom.ts";
import { about, badges } from "../facts.ts";
import type { DataModel } from "../model.ts";
import { pieces, wordsOf } from "../text.ts";
import type { Trans } from "../trans.ts";
import type { Summary } from "../types.ts";

const PAGE = 10;

export interface ListUse {
  /** Enter, or a click. */
  act(dataset: Summary): void;
  /** The arrow that leaves the list at its upper end, and Escape. */
  leave(): void;
  /** A pointer went down on a row: a drag may begin. */
  grab?(dataset: Summary, event: PointerEvent): void;
  /** With it the rows can be chosen, by Space too. */
  chosen?(dataset: Summary): boolean;
  multiple?: boolean;
}

export class Results {
  readonly node: HTMLElement;
  private readonly list: HTMLUListElement;
  private readonly moreButton: HTMLButtonElement;
  private readonly end: HTMLElement;
  private readonly model: DataModel;
  private readonly trans: Trans;
  private readonly use: ListUse;
  private readonly id: string;
  private active = 0;
  /** Somebody went beyond the last row and waits for the next. */
  private waiting = false;

  constructor(model: DataModel, trans: Trans, id: string, use: ListUse) {
    this.model = model;
    this.trans = trans;
    this.id = id;
    this.use = use;
    const more = use.multiple ? { "aria-multiselectable": "true" } : {};
    this.list = h("ul", { class: "nf-results", role: "listbox", "aria-label": trans.__("Datasets found"), ...more });
    this.moreButton = h("button", { type: "button", class: "nf-more jp-mod-styled", onclick: () => void model.more() }, trans.__("Load more"));
    this.end = h("p", { class: "nf-end" });
    this.node = h("div", { class: "nf-found" }, this.list, this.moreButton, this.end);
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("focusin", (event) => this.entered(event.target as HTMLElement));
    this.list.addEventListener("click", (event) => this.picked(event, (dataset) => use.act(dataset)));
    this.list.addEventListener("pointerdown", (event) => {
      if (event.button === 0) this.picked(event, (dataset) => use.grab?.(dataset, event));
    });
    this.foot();
  }

  /** The row that has the focus, or had it last. */
  get current(): Summary | undefined {
    return this.model.found[this.active];
  }

  /** Everything anew. */
  reset(): void {
    const held = this.list.contains(document.activeElement);
    this.active = 0;
    this.list.replaceChildren();
    this.grow();
    if (held) this.focus();
  }

  /** The rows that have come since; those that are there stay, with the focus. */
  grow(): void {
    const words = wordsOf(this.model.query);
    const from = this.list.children.length;
    this.list.append(...this.model.found.slice(from).map((dataset, at) => this.row(dataset, from + at, words)));
    if (this.waiting && this.list.children.length > from) this.move(from);
    this.foot();
  }

  /** What is chosen has changed. */
  mark(): void {
    [...this.list.children].forEach((row, at) => row.setAttribute("aria-selected", String(this.isChosen(at))));
  }

  foot(): void {
    const { found, next, busy, failure } = this.model;
    this.list.hidden = found.length === 0;
    this.list.setAttribute("aria-busy", String(busy));
    this.list.classList.toggle("nf-stale", busy && this.model.total === null && found.length > 0);
    const more = next !== null && found.length > 0;
    const held = this.moreButton === document.activeElement;
    this.moreButton.hidden = !more;
    if (held && !more) this.focus();
    // Of an answer that broke off nobody knows how much is missing.
    say(this.end, more || found.length === 0 || busy || failure ? "" : this.trans.__("That is all."));
    if (!busy) this.waiting = false;
  }

  focus(): boolean {
    const row = this.list.children[Math.min(this.active, this.list.children.length - 1)];
    (row as HTMLElement | undefined)?.focus();
    return row !== undefined;
  }

  private isChosen(at: number): boolean {
    const dataset = this.model.found[at];
    if (!this.use.chosen) return at === this.active;
    return dataset !== undefined && this.use.chosen(dataset);
  }

  private row(dataset: Summary, at: number, words: readonly string[]): HTMLLIElement {
    const name = dataset.title || dataset.pid;
    const short = name.length > 300 ? `${name.slice(0, 300)}…` : name;
    const title = pieces(short, words).map(({ text, hit }) => (hit ? h("mark", {}, text) : text));
    const marks = badges(dataset, this.trans).map((text) => h("span", { class: "nf-badge" }, text));
    const from = this.model.sources.size > 1 && dataset.source ? h("span", { class: "nf-from" }, dataset.source) : null;
    return h(
      "li",
      {
        role: "option",
        id: `${this.id}-row-${at}`,
        class: "nf-row",
        tabindex: at === this.active ? "0" : "-1",
        "aria-selected": String(this.isChosen(at)),
        "data-at": String(at),
        "data-pid": dataset.pid,
      },
      h("span", { class: "nf-row-title", dir: "auto" }, ...title),
      h("span", { class: "nf-row-about" }, about(dataset)),
      marks.length || from ? h("span", { class: "nf-row-marks" }, ...marks, from) : null,
    );
  }

  private entered(target: HTMLElement): void {
    const at = this.at(target);
    if (at !== null) this.select(at);
  }

  private at(target: EventTarget | null): number | null {
    const row = (target as HTMLElement | null)?.closest<HTMLElement>(".nf-row");
    return row ? Number(row.dataset["at"]) : null;
  }

  private picked(event: Event, work: (dataset: Summary) => void): void {
    const at = this.at(event.target);
    const dataset = at === null ? undefined : this.model.found[at];
    if (at === null || !dataset) return;
    this.select(at);
    work(dataset);
  }

  private select(at: number): void {
    const rows = this.list.children;
    rows[this.active]?.setAttribute("tabindex", "-1");
    const before = this.active;
    this.active = at;
    rows[at]?.setAttribute("tabindex", "0");
    for (const one of [before, at]) rows[one]?.setAttribute("aria-selected", String(this.isChosen(one)));
  }

  private move(to: number): void {
    this.select(to);
    (this.list.children[to] as HTMLElement | undefined)?.focus();
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.list.children.length - 1;
    const steps: Record<string, number> = {
      ArrowDown: this.active + 1,
      ArrowUp: this.active - 1,
      PageDown: Math.min(this.active + PAGE, last),
      PageUp: Math.max(this.active - PAGE, 0),
      Home: 0,
      End: last,
    };
    const to = steps[event.key];
    if (to !== undefined) {
      if (to < 0) this.use.leave();
      else if (to <= last) this.move(to);
      else if (this.model.next !== null) {
        this.waiting = true;
        void this.model.more();
      }
    } else if (event.key === "Enter" || (event.key === " " && this.use.chosen)) {
      const dataset = this.current;
      if (dataset) this.use.act(dataset);
    } else if (event.key === "Escape") this.use.leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
