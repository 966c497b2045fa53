// Counts by value: each a button that adds the condition to the search, or takes it away.
import { h } from "../../lib/dom.ts";
import type { DataModel } from "../model.ts";
import { has } from "../text.ts";
import type { Trans } from "../trans.ts";

const SHOWN = 6;
const ORDER = ["type", "technique", "instrument", "facility", "format", "storage", "availability", "source"];

export class Facets {
  readonly node: HTMLElement;
  private readonly groups: HTMLElement;
  private readonly button: HTMLButtonElement;
  private readonly model: DataModel;
  private readonly trans: Trans;
  private readonly all = new Set<string>();

  constructor(model: DataModel, trans: Trans, id: string) {
    this.model = model;
    this.trans = trans;
    this.groups = h("div", { id: `${id}-facets`, class: "nf-facet-groups" });
    this.button = h(
      "button",
      {
        type: "button",
        class: "nf-facets-button",
        "aria-controls": `${id}-facets`,
        onclick: () => model.showFacets(!model.facetsWanted),
      },
      trans.__("Filters"),
    );
    this.node = h("section", { class: "nf-facets", "aria-label": trans.__("Filters") }, this.button, this.groups);
    this.update();
  }

  update(): void {
    const wanted = this.model.facetsWanted;
    this.button.setAttribute("aria-expanded", String(wanted));
    this.groups.hidden = !wanted;
    if (!wanted) return;
    const held = (document.activeElement as HTMLElement | null)?.dataset["key"];
    const counts = this.model.facets?.counts ?? {};
    const fields = Object.keys(counts).filter((field) => Object.keys(counts[field] ?? {}).length > 0);
    const place = (field: string): number => (ORDER.includes(field) ? ORDER.indexOf(field) : ORDER.length);
    fields.sort((a, b) => place(a) - place(b) || a.localeCompare(b));
    this.groups.replaceChildren(...fields.map((field) => this.group(field, counts[field] ?? {})));
    if (!fields.length && this.model.facets) this.groups.append(h("p", { class: "nf-quiet" }, this.trans.__("Nothing to filter by.")));
    // The buttons are others now; who was on one stays there.
    if (held !== undefined) this.groups.querySelector<HTMLElement>(`[data-key="${CSS.escape(held)}"]`)?.focus();
  }

  private group(field: string, counts: Record<string, number>): HTMLElement {
    const values = Object.entries(counts).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
    const open = this.all.has(field);
    const set = values.filter(([value]) => has(this.model.query, field, value));
    const shown = open ? values : [...new Set([...set, ...values.slice(0, SHOWN)])];
    const rest = values.length - shown.length;
    const buttons = shown.map(([value, count]) => this.value(field, value, count));
    if (rest > 0 || open) {
      const key = `${field}/*`;
      const words = open ? this.trans.__("fewer") : this.trans.__("%1 more", String(rest));
      const label = open ? this.trans.__("%1: fewer", this.name(field)) : this.trans.__("%1: %2 more", this.name(field), String(rest));
      const toggle = (): void => {
        if (open) this.all.delete(field);
        else this.all.add(field);
        this.update();
      };
      buttons.push(h("button", { type: "button", class: "nf-facet-more", "aria-label": label, "data-key": key, onclick: toggle }, words));
    }
    return h("div", { class: "nf-facet", role: "group", "aria-label": this.name(field) }, h("h3", {}, this.name(field)), ...buttons);
  }

  private value(field: string, value: string, count: number): HTMLButtonElement {
    const exact = this.model.facets?.exact ?? true;
    return h(
      "button",
      {
        type: "button",
        class: "nf-facet-value",
        "aria-pressed": String(has(this.model.query, field, value)),
        "data-key": `${field}/${value}`,
        title: value,
        onclick: () => void this.model.toggle(field, value),
      },
      h("span", { class: "nf-facet-name" }, value),
      h("span", { class: "nf-facet-count" }, count.toLocaleString("en") + (exact ? "" : "+")),
    );
  }

  private name(field: string): string {
    const trans = this.trans;
    const names: Record<string, string> = {
      type: trans.__("Type"),
      technique: trans.__("Technique"),
      instrument: trans.__("Instrument"),
      facility: trans.__("Facility"),
      format: trans.__("Format"),
      storage: trans.__("Storage"),
      availability: trans.__("Where the data is"),
      source: trans.__("Catalogue"),
    };
    return names[field] ?? field;
  }
}
