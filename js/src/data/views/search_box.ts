// The field that is typed in: completions as a combobox, a mistake shown at its place.
import { h } from "../../lib/dom.ts";
import { Latest } from "../../lib/latest.ts";
import type { DataModel } from "../model.ts";
import { around, points, units } from "../text.ts";
import type { Trans } from "../trans.ts";
import type { Completion, Completions } from "../types.ts";

const TYPING_MS = 250;
const COMPLETING_MS = 100;

export class SearchBox {
  readonly node: HTMLElement;
  readonly input: HTMLInputElement;
  private readonly list: HTMLUListElement;
  private readonly mistake: HTMLElement;
  private readonly model: DataModel;
  private readonly trans: Trans;
  private readonly id: string;
  private readonly down: () => void;
  private offered: Completions | null = null;
  private active = -1;
  private readonly completing: Latest<null>;
  private readonly searching: Latest<string>;

  /** `down` is called for the arrow that leaves the field for the results. */
  constructor(model: DataModel, trans: Trans, id: string, down: () => void) {
    this.model = model;
    this.trans = trans;
    this.id = id;
    this.down = down;
    this.input = h("input", {
      id: `${id}-query`,
      class: "nf-query",
      type: "search",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": `${id}-offers`,
      "aria-describedby": `${id}-mistake`,
      placeholder: trans.__("technique:saxs energy>8keV silver"),
    });
    this.list = h("ul", { id: `${id}-offers`, class: "nf-offers", role: "listbox", "aria-label": trans.__("Completions") });
    this.list.hidden = true;
    this.mistake = h("div", { id: `${id}-mistake`, class: "nf-mistake", role: "alert" });
    const label = h("label", { for: `${id}-query`, class: "nf-label" }, trans.__("Search datasets"));
    this.node = h("div", { class: "nf-search" }, label, this.input, this.list, this.mistake);
    this.completing = new Latest((_, signal) => this.complete(signal), COMPLETING_MS);
    this.searching = new Latest((text) => model.search(text), TYPING_MS);
    this.input.addEventListener("input", () => {
      this.searching.ask(this.input.value);
      // After a blank there is nothing to complete yet; Alt and arrow down offer all the same.
      if (/\S$/.test(this.input.value.slice(0, this.input.selectionStart ?? undefined))) this.completing.ask(null);
      else this.close();
    });
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => this.close());
  }

  /** Follows the model: a text that came from elsewhere, a mistake, its end. */
  update(): void {
    // Who is typing is ahead of the search, and keeps what is typed.
    if (document.activeElement !== this.input && this.input.value !== this.model.query) this.input.value = this.model.query;
    const failure = this.model.failure?.reason === "syntax" ? this.model.failure : null;
    this.input.setAttribute("aria-invalid", String(failure !== null));
    if (!failure) {
      if (this.mistake.firstChild) this.mistake.replaceChildren();
      return;
    }
    const shown: HTMLElement[] = [h("p", { class: "nf-mistake-words" }, failure.message)];
    if (failure.position !== null) {
      const [before, at, after] = around(this.model.query, failure.position);
      shown.push(h("code", { class: "nf-mistake-place" }, before, h("mark", {}, at), after));
    }
    if (failure.hint) shown.push(h("p", {}, failure.hint));
    this.mistake.replaceChildren(...shown);
  }

  /** Puts another text there and searches for it. */
  set(text: string): void {
    this.input.value = text;
    this.close();
    this.searching.ask(text, 0);
  }

  dispose(): void {
    this.completing.cancel();
    this.searching.cancel();
  }

  private async complete(signal: AbortSignal): Promise<void> {
    const text = this.input.value;
    const at = points(text, this.input.selectionStart ?? text.length);
    let offered: Completions;
    try {
      offered = await this.model.source.completions(text, at, signal);
    } catch {
      this.close(); // A search without completions is still a search.
      return;
    }
    if (signal.aborted || text !== this.input.value || document.activeElement !== this.input) return;
    const typed = text.slice(units(text, offered.start), units(text, offered.end)).trim();
    // What stands there already need not be offered.
    if (offered.items.every((item) => item.insert.trim() === typed)) {
      this.close();
      return;
    }
    this.offered = offered;
    this.active = -1;
    this.input.removeAttribute("aria-activedescendant");
    this.list.replaceChildren(...offered.items.map((item, index) => this.row(item, index)));
    this.list.hidden = offered.items.length === 0;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
  }

  private row(item: Completion, index: number): HTMLLIElement {
    const kinds = { field: this.trans.__("field"), value: this.trans.__("value"), technique: this.trans.__("technique") };
    const said = typeof item.count === "number" ? item.count.toLocaleString("en") : (kinds[item.kind] ?? "");
    const row = h(
      "li",
      { role: "option", id: `${this.id}-offer-${index}`, "aria-selected": "false" },
      h("span", { class: "nf-offer-label" }, item.label),
      h("span", { class: "nf-offer-kind" }, said),
    );
    // The focus stays in the field.
    row.addEventListener("mousedown", (event) => event.preventDefault());
    row.addEventListener("click", () => this.accept(item));
    return row;
  }

  private accept(item: Completion): void {
    if (!this.offered) return;
    const text = this.input.value;
    const start = units(text, this.offered.start);
    const head = text.slice(0, start) + item.insert;
    this.input.value = head + text.slice(units(text, this.offered.end));
    this.input.setSelectionRange(head.length, head.length);
    this.close();
    // `instrument:` wants its value at once; a value is searched for.
    if (item.kind === "field") this.completing.ask(null, 0);
    this.searching.ask(this.input.value, 0);
  }

  private key(event: KeyboardEvent): void {
    const open = !this.list.hidden;
    const item = this.offered?.items[this.active];
    if (event.key === "Enter") {
      event.preventDefault();
      if (open && item) this.accept(item);
      else {
        this.close();
        this.searching.ask(this.input.value, 0);
      }
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (open) this.move(event.key === "ArrowDown" ? 1 : -1);
      else if (event.key === "ArrowDown" && event.altKey) this.completing.ask(null, 0);
      else if (event.key === "ArrowDown") this.down();
      else return;
      event.preventDefault();
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    }
  }

  private move(by: number): void {
    const rows = [...this.list.children];
    rows[this.active]?.setAttribute("aria-selected", "false");
    // One step beyond the ends is the field itself.
    this.active = ((this.active + 1 + by + rows.length + 1) % (rows.length + 1)) - 1;
    const row = rows[this.active];
    if (row) this.input.setAttribute("aria-activedescendant", row.id);
    else this.input.removeAttribute("aria-activedescendant");
    row?.setAttribute("aria-selected", "true");
    row?.scrollIntoView({ block: "nearest" });
  }

  private close(): void {
    this.completing.cancel();
    this.offered = null;
    this.active = -1;
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}
