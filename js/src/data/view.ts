// Search, results, facets and card together: the same in JupyterLab's panel and in a notebook.
import { h } from "../lib/dom.ts";
import type { Change, DataModel } from "./model.ts";
import type { Trans } from "./trans.ts";
import { english } from "./trans.ts";
import type { Summary } from "./types.ts";
import type { Action } from "./views/card.ts";
import { CardView } from "./views/card.ts";
import { Facets } from "./views/facets.ts";
import type { Help } from "./views/notices.ts";
import { Notices } from "./views/notices.ts";
import type { ListUse } from "./views/results.ts";
import { Results } from "./views/results.ts";
import { SearchBox } from "./views/search_box.ts";

export interface ViewOptions {
  trans?: Trans;
  actions?: readonly Action[];
  help?: Help;
  grab?: ListUse["grab"];
  /** Rows are chosen; without it they open their card. */
  choose?: { chosen(dataset: Summary): boolean; toggle(dataset: Summary): void; multiple: boolean };
}

export class DataView {
  readonly node: HTMLElement;
  readonly model: DataModel;
  private readonly box: SearchBox;
  private readonly results: Results;
  private readonly facets: Facets;
  private readonly notices: Notices;
  private readonly card: CardView;
  private readonly listing: HTMLElement;
  private readonly order: HTMLSelectElement;
  private readonly details: HTMLButtonElement | null = null;
  private readonly unfollow: () => void;

  constructor(model: DataModel, options: ViewOptions = {}) {
    this.model = model;
    const trans = options.trans ?? english;
    const help = options.help ?? {};
    // The panel and the widgets of a notebook are in one page, each with a copy of this module.
    const id = `nf-data-${Math.random().toString(36).slice(2, 10)}`;
    const { choose, grab } = options;
    this.box = new SearchBox(model, trans, id, () => this.results.focus());
    this.results = new Results(model, trans, id, {
      act: (dataset) => (choose ? choose.toggle(dataset) : this.show(dataset)),
      leave: () => this.box.input.focus(),
      ...(grab ? { grab } : {}),
      ...(choose ? { chosen: (dataset: Summary) => choose.chosen(dataset), multiple: choose.multiple } : {}),
    });
    this.facets = new Facets(model, trans, id);
    this.notices = new Notices(model, trans, help);
    this.card = new CardView(model, trans, options.actions ?? [], help, () => this.back());
    this.order = h(
      "select",
      { class: "nf-order", "aria-label": trans.__("Order") },
      h("option", { value: "newest" }, trans.__("Newest first")),
      h("option", { value: "relevance" }, trans.__("Best match first")),
    );
    this.order.addEventListener("change", () => void model.sortBy(this.order.value === "relevance" ? "relevance" : "newest"));
    const tools = h("div", { class: "nf-tools" }, this.facets.node, this.order);
    if (choose) {
      this.details = h("button", { type: "button", class: "nf-link", onclick: () => this.showCurrent() }, trans.__("Details"));
      this.notices.node.prepend(this.details);
    }
    this.listing = h("div", { class: "nf-listing" }, tools, this.notices.node, this.results.node);
    this.node = h("div", { class: "nf-data" }, this.box.node, this.listing, this.card.node);
    this.unfollow = model.follow((change) => this.changed(change));
    this.changed("sources");
    this.changed("card");
    this.box.update();
  }

  /** The dataset of the open card, else of the current row. */
  get current(): Summary | undefined {
    const card = this.model.card;
    if (!card) return this.results.current;
    return this.model.found.find((one) => one.pid === card.ref.pid);
  }

  focus(): void {
    if (this.model.card) this.card.focus();
    else this.focusSearch();
  }

  focusSearch(): void {
    this.box.input.focus();
    this.box.input.select();
  }

  /** Types `text` into the field and searches for it. */
  search(text: string): void {
    this.box.set(text);
  }

  /** Rows show again whether they are chosen. */
  mark(): void {
    this.results.mark();
    this.card.mark();
  }

  show(dataset: Summary): void {
    void this.model.open({ pid: dataset.pid, source: dataset.source ?? null });
  }

  dispose(): void {
    this.unfollow();
    this.box.dispose();
    this.card.dispose();
    this.model.dispose();
  }

  private showCurrent(): void {
    const dataset = this.results.current;
    if (dataset) this.show(dataset);
  }

  /** From the card to its row, where the results still are as they were. */
  private back(): void {
    void this.model.open(null);
    if (!this.results.focus()) this.box.input.focus();
  }

  private changed(change: Change): void {
    if (change === "results") this.results.reset();
    else if (change === "more") this.results.grow();
    else if (change === "facets") this.facets.update();
    else if (change === "card") this.turn();
    else if (change === "query") {
      this.box.update();
      this.facets.update();
    }
    if (change === "sources" || change === "results" || change === "more") {
      this.results.foot();
      this.notices.update();
      this.box.update();
      this.order.value = this.model.order;
      // What the list is the answer to; while one is under way it is none.
      this.node.dataset["answered"] = this.model.busy ? "" : `for ${this.model.query}`;
      if (this.details) this.details.hidden = this.model.found.length === 0;
    }
  }

  private turn(): void {
    const open = this.model.card !== null;
    const held = this.node.contains(document.activeElement);
    this.card.update();
    this.card.node.hidden = !open;
    this.listing.hidden = open;
    this.box.node.hidden = open;
    // Who worked here goes along; a card that a restored layout opens takes no focus.
    if (open && held) this.card.focus();
  }
}
