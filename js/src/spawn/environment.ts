// Environments that fit the chosen datasets come first; the others stay, and are marked.
import { all, h, need, say } from "../lib/dom.ts";
import { plural } from "../lib/words.ts";
import { byFit, FIT_WORDS, fitOf, isBetter, techniquesOf, type Fit } from "./fit.ts";
import type { Dataset, ProfileShown } from "./types.ts";

export class Environments {
  private readonly list: HTMLElement;
  private readonly note: HTMLElement;
  private readonly cards: HTMLElement[];

  constructor(root: HTMLElement) {
    this.list = need("#nf-profiles", root);
    this.note = need("#nf-fit", root);
    this.cards = all(".nf-card", this.list);
  }

  /** What the labels of images say, where the configuration says nothing. Returns if it is news. */
  learn(profiles: readonly Pick<ProfileShown, "name" | "techniques">[]): boolean {
    let news = false;
    for (const { name, techniques } of profiles) {
      const card = this.cards.find((one) => one.dataset["profile"] === name);
      if (!card || this.techniques(card).length || !techniques.length) continue;
      card.dataset["techniques"] = JSON.stringify(techniques);
      const tags = techniques.map((one) => h("span", { class: "nf-tag", "data-technique": one }, one));
      need(".nf-about", card).append(h("div", { class: "nf-tags" }, ...tags));
      news = true;
    }
    return news;
  }

  /** How well a profile's environment fits the datasets. */
  fitOf(profile: string, datasets: readonly Dataset[]): Fit {
    const card = this.cards.find((one) => one.dataset["profile"] === profile);
    return card ? fitOf(this.techniques(card), datasets.map((dataset) => dataset.techniques)) : "any";
  }

  /** Puts the cards in order. Returns the first where it fits better than the chosen one. */
  arrange(datasets: Dataset[]): string | null {
    const asked = datasets.map((dataset) => dataset.techniques);
    const wanted = techniquesOf(asked);
    const fits = new Map(this.cards.map((card) => [card, fitOf(this.techniques(card), asked)]));
    const fit = (card: HTMLElement): Fit => fits.get(card) ?? "any";
    const order = byFit(this.cards, fit);
    if (order.some((card, index) => this.list.children[index] !== card)) this.put(order);
    for (const card of this.cards) this.mark(card, fit(card), wanted);
    const made = order.filter((card) => fit(card) === "made").length;
    const rest = order.some((card) => fit(card) !== "any");
    if (!wanted.length || !rest) say(this.note, "");
    else {
      const names = wanted.join(" and ");
      say(
        this.note,
        made ? `${plural(made, "environment")} made for ${names}, shown first.` : `None is made for ${names}; what is made for all data is first.`,
      );
    }
    const chosen = order.find((card) => need<HTMLInputElement>("input", card).checked);
    const best = order[0];
    return chosen && best && isBetter(fit(best), fit(chosen)) ? (best.dataset["profile"] ?? null) : null;
  }

  /** The card that has the focus stays, and the others move: what is moved loses the focus. */
  private put(order: HTMLElement[]): void {
    const at = order.findIndex((card) => card.contains(document.activeElement));
    const held = order[at];
    if (!held) return this.list.append(...order);
    held.before(...order.slice(0, at));
    held.after(...order.slice(at + 1));
  }

  private techniques(card: HTMLElement): string[] {
    return JSON.parse(card.dataset["techniques"] ?? "[]") as string[];
  }

  private mark(card: HTMLElement, fit: Fit, wanted: string[]): void {
    card.querySelector(".nf-fitmark")?.remove();
    card.classList.toggle("nf-other", fit === "other");
    const low = new Set(wanted.map((technique) => technique.toLowerCase()));
    for (const tag of all(".nf-tag", card))
      tag.classList.toggle("nf-match", low.has((tag.dataset["technique"] ?? "").toLowerCase()));
    if (fit === "any") return;
    need("label", card).after(h("span", { class: `nf-fitmark nf-fit-${fit}` }, FIT_WORDS[fit]));
  }
}
