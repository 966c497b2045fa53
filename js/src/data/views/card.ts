// One dataset: what it is, who may see it, where it came from, and what can be done with it.
import { h } from "../../lib/dom.ts";
import { bytes } from "../../lib/words.ts";
import { about, badges, canBePictured, cut, facts, valueWords } from "../facts.ts";
import type { DataModel } from "../model.ts";
import { asDataError } from "../source.ts";
import type { Trans } from "../trans.ts";
import type { DataFile, Dataset, Ref, Summary } from "../types.ts";
import type { Help } from "./notices.ts";
import { failureNode } from "./notices.ts";

const FILES = 20;
const VALUES = 200;

/** A button of the card. */
export interface Action {
  label: string;
  primary?: boolean;
  run(dataset: Dataset): void;
  /** Where the button says what is so (chosen or not). */
  pressed?(dataset: Dataset): boolean;
}

export class CardView {
  readonly node: HTMLElement;
  private readonly model: DataModel;
  private readonly trans: Trans;
  private readonly actions: readonly Action[];
  private readonly help: Help;
  private readonly back: HTMLButtonElement;
  private heading: HTMLElement | undefined;
  private pressed: (() => void)[] = [];
  private loading: AbortController | undefined;
  private picture: string | undefined;

  /** `back` shows the results again. */
  constructor(model: DataModel, trans: Trans, actions: readonly Action[], help: Help, back: () => void) {
    this.model = model;
    this.trans = trans;
    this.actions = actions;
    this.help = help;
    this.node = h("section", { class: "nf-card", "aria-label": trans.__("Dataset") });
    this.node.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      event.preventDefault();
      event.stopPropagation();
      back();
    });
    this.back = h(
      "button",
      { type: "button", class: "nf-back", onclick: back },
      h("span", { "aria-hidden": "true" }, "← "),
      trans.__("Results"),
    );
  }

  focus(): void {
    (this.heading ?? this.back).focus();
  }

  update(): void {
    this.dispose();
    const card = this.model.card;
    this.node.replaceChildren();
    if (!card) return;
    const loading = (this.loading = new AbortController());
    this.node.append(this.back);
    if (card.failure) this.node.append(failureNode(card.failure, this.trans, () => void this.model.open(card.ref), this.help));
    else if (card.dataset) this.fill(card.dataset, card.ref, loading.signal);
    else this.node.append(h("p", { class: "nf-status nf-busy", role: "status" }, this.trans.__("Looking it up…")));
  }

  /** Buttons say again what is so. */
  mark(): void {
    for (const say of this.pressed) say();
  }

  /** Ends what is under way, and lets go of the picture. */
  dispose(): void {
    this.loading?.abort();
    this.pressed = [];
    this.heading = undefined;
    if (this.picture) URL.revokeObjectURL(this.picture);
    this.picture = undefined;
  }

  private fill(dataset: Dataset, ref: Ref, signal: AbortSignal): void {
    const { trans } = this;
    const title = dataset.title || dataset.pid;
    this.heading = h("h2", { tabindex: "-1", dir: "auto", title }, cut(title, 1000));
    const marks = badges(dataset, trans).map((text) => h("span", { class: "nf-badge" }, text));
    const catalogues = this.model.sourcesOf(dataset).join(", ");
    const frame = h("div", { class: "nf-picture" });
    const related = h("div", { class: "nf-related" });
    const files = h("div", { class: "nf-files" });
    this.node.append(
      ...[
        this.heading,
        marks.length ? h("p", { class: "nf-row-marks" }, ...marks) : null,
        frame,
        this.buttons(dataset),
        dataset.description ? h("p", { class: "nf-description", dir: "auto" }, dataset.description) : null,
        this.warnings(dataset.warnings ?? []),
        h("dl", { class: "nf-facts" }, ...facts({ ...dataset, source: catalogues }, Date.now(), trans).flatMap(([name, value]) => [h("dt", {}, name), h("dd", { dir: "auto" }, value)])),
        related,
        this.values(dataset.scientific ?? {}),
        files,
      ].filter((part) => part !== null),
    );
    // Its place is kept only for a picture that is known to be there: else the text would jump.
    frame.hidden = !dataset.thumbnail;
    if (dataset.thumbnail || canBePictured(dataset)) void this.show(frame, ref, title, signal);
    void this.relations(related, ref, signal);
    void this.list(files, ref, dataset, signal);
  }

  private buttons(dataset: Dataset): HTMLElement {
    const { trans } = this;
    const page = dataset.landing_page ?? (dataset.doi ? `https://doi.org/${dataset.doi}` : "");
    return h(
      "div",
      { class: "nf-buttons" },
      // What one mostly wants is first, whichever plugin came first.
      ...[...this.actions].sort((a, b) => Number(b.primary ?? false) - Number(a.primary ?? false)).map((action) => this.button(action, dataset)),
      // Whatever a catalogue says: only a page of the web is opened.
      /^https?:\/\//i.test(page)
        ? h("a", { class: "nf-link", href: page, target: "_blank", rel: "noopener noreferrer" }, trans.__("Landing page"))
        : null,
    );
  }

  private button(action: Action, dataset: Dataset): HTMLButtonElement {
    const look = action.primary ? "jp-mod-styled jp-mod-accept" : "nf-link";
    const made = h("button", { type: "button", class: look, onclick: () => action.run(dataset) }, action.label);
    const { pressed } = action;
    if (pressed) {
      const say = (): void => made.setAttribute("aria-pressed", String(pressed(dataset)));
      this.pressed.push(say);
      say();
    }
    return made;
  }

  private warnings(warnings: readonly string[]): HTMLElement | null {
    if (!warnings.length) return null;
    return h("ul", { class: "nf-warnings", "aria-label": this.trans.__("Warnings") }, ...warnings.map((text) => h("li", {}, text)));
  }

  private async show(frame: HTMLElement, ref: Ref, title: string, signal: AbortSignal): Promise<void> {
    try {
      const blob = await this.model.source.thumbnail(ref, signal);
      if (signal.aborted) return;
      if (blob) {
        this.picture = URL.createObjectURL(blob);
        const image = h("img", { src: this.picture, alt: this.trans.__("Thumbnail of %1", title) });
        image.addEventListener("error", () => (frame.hidden = true));
        frame.append(image);
        frame.hidden = false;
      } else frame.hidden = true;
    } catch {
      frame.hidden = true; // A card without a picture is still a card.
    }
  }

  private async relations(place: HTMLElement, ref: Ref, signal: AbortSignal): Promise<void> {
    const { trans } = this;
    try {
      const { inputs, derived, missing, unknown = [] } = await this.model.source.related(ref, signal);
      if (signal.aborted) return;
      const without = [
        ...missing.map((pid) => trans.__("%1 (not found, or not for you)", pid)),
        ...unknown.map((pid) => trans.__("%1 (its catalogue does not answer)", pid)),
      ].map((words) => h("li", { class: "nf-quiet" }, words));
      if (inputs.length || without.length)
        place.append(h("h3", {}, trans.__("Made from")), h("ul", {}, ...inputs.map((one) => this.link(one)), ...without));
      if (derived.length) place.append(h("h3", {}, trans.__("Results made from it")), h("ul", {}, ...derived.map((one) => this.link(one))));
    } catch (error) {
      if (!signal.aborted) place.append(h("p", { class: "nf-quiet" }, trans.__("Related datasets: %1", asDataError(error).message)));
    }
  }

  private link(dataset: Summary): HTMLElement {
    const open = (): void => void this.model.open({ pid: dataset.pid, source: dataset.source ?? null });
    return h(
      "li",
      {},
      h("button", { type: "button", class: "nf-link", dir: "auto", onclick: open }, cut(dataset.title || dataset.pid)),
      h("span", { class: "nf-row-about" }, ` ${about(dataset)}`),
    );
  }

  private values(scientific: Record<string, unknown>): HTMLElement | null {
    const rows = Object.entries(scientific);
    if (!rows.length) return null;
    const shown = rows.slice(0, VALUES).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, valueWords(value))]);
    return h(
      "details",
      {},
      h("summary", {}, this.trans._n("%1 scientific value", "%1 scientific values", rows.length)),
      h("dl", { class: "nf-facts" }, ...shown),
    );
  }

  private async list(place: HTMLElement, ref: Ref, dataset: Dataset, signal: AbortSignal): Promise<void> {
    const { trans } = this;
    const root = dataset.source_folder ?? "";
    const list = h("ul", {});
    const more = h("button", { type: "button", class: "nf-link" }, trans.__("More files"));
    const summary = h("summary", {}, trans.__("Files"));
    place.append(h("details", {}, summary, list, more));
    let shown = 0;
    const next = async (): Promise<void> => {
      more.hidden = true;
      try {
        const page = await this.model.source.files(ref, shown, FILES, signal);
        if (signal.aborted) return;
        shown += page.files.length;
        list.append(...page.files.map((file) => h("li", { title: file.path }, fileWords(file, root))));
        summary.textContent = trans._n("%1 file", "%1 files", page.total);
        more.hidden = shown >= page.total || page.files.length === 0;
      } catch (error) {
        if (!signal.aborted) list.append(h("li", { class: "nf-quiet" }, asDataError(error).message));
      }
    };
    more.addEventListener("click", () => void next());
    await next();
  }
}

/** Name, below the dataset's folder where it is there, and size. */
function fileWords(file: DataFile, folder: string): string {
  const below = folder && file.path.startsWith(`${folder}/`) ? file.path.slice(folder.length + 1) : file.path;
  return `${below} · ${bytes(file.size)}`;
}
