// The form's own inputs: which of them count, sliders beside the numbers, and what is chosen.
import { all, h, need } from "../lib/dom.ts";
import { valueOf } from "../lib/words.ts";
import { numberProblem } from "./planwords.ts";
import type { Options } from "./types.ts";

type Field = HTMLInputElement | HTMLSelectElement;
const NUMBERS = new Set(["cores", "memory_mb", "minutes", "gpus"]);

export class Inputs {
  readonly root: HTMLElement;

  constructor(root: HTMLElement) {
    this.root = root;
    for (const field of all<HTMLInputElement>("input[data-least]", root)) addSlider(field);
    this.refresh();
  }

  get profile(): string {
    return this.root.querySelector<HTMLInputElement>('input[name="profile"]:checked')?.value ?? "";
  }

  /** The cards of the chosen profile's hardware. */
  get group(): HTMLElement {
    return need(`.nf-of-profile[data-profile="${CSS.escape(this.profile)}"]`, this.root);
  }

  get hardware(): string {
    return this.group.querySelector<HTMLInputElement>('input[type="radio"]:checked')?.value ?? "";
  }

  get card(): HTMLElement | null {
    return this.group.querySelector(`.nf-card[data-hardware="${CSS.escape(this.hardware)}"]`);
  }

  /** Shows the hardware of the chosen profile and lets only its inputs count. */
  refresh(): void {
    for (const group of all(".nf-of-profile", this.root)) {
      const mine = group.dataset["profile"] === this.profile;
      group.hidden = !mine;
      for (const card of all(".nf-card", group)) {
        const radio = need<HTMLInputElement>('input[type="radio"]', card);
        radio.disabled = !mine;
        const chosen = mine && radio.checked;
        for (const field of all<Field>(".nf-inputs input, .nf-inputs select", card)) field.disabled = !chosen;
      }
    }
    for (const card of all(".nf-card", this.root))
      card.classList.toggle("nf-chosen", need<HTMLInputElement>('input[type="radio"]', card).checked);
  }

  choose(profile: string, hardware: string): void {
    const radio = this.root.querySelector<HTMLInputElement>(`input[name="profile"][value="${CSS.escape(profile)}"]`);
    if (!radio) return;
    radio.checked = true;
    const own = `input[type="radio"][value="${CSS.escape(hardware)}"]`;
    const other = this.group.querySelector<HTMLInputElement>(own);
    if (other) other.checked = true;
    this.refresh();
  }

  /** The choices of the chosen hardware, and what is wrong with them as they stand. */
  values(): { values: Record<string, string | number>; wrong: Record<string, string> } {
    const values: Record<string, string | number> = {};
    const wrong: Record<string, string> = {};
    for (const box of all(".nf-input", this.card ?? document.createElement("div"))) {
      const option = box.dataset["option"] ?? "";
      const field = need<Field>("input[name], select[name]", box);
      const text = field.value.trim();
      if (text === "") continue;
      if (!NUMBERS.has(option)) {
        values[option] = text;
        continue;
      }
      const { least, most, step } = field.dataset;
      const problem = least === undefined ? "" : numberProblem(text, Number(least), Number(most), Number(step));
      if (problem) wrong[option] = problem;
      else values[option] = Number(text);
    }
    return { values, wrong };
  }

  options(datasets: string[]): Options {
    return { profile: this.profile, hardware: this.hardware, datasets, ...this.values().values };
  }
}

/** A slider and the value in words beside a number; the number stays the one that is posted. */
function addSlider(field: HTMLInputElement): void {
  const { least, most, step } = field.dataset;
  const option = field.closest<HTMLElement>(".nf-input")?.dataset["option"] ?? "";
  Object.assign(field, { min: least ?? "", max: most ?? "", step: step ?? "1" });
  const label = field.labels?.[0]?.textContent ?? option;
  const slider = h("input", {
    type: "range",
    class: "form-range nf-slider",
    min: least,
    max: most,
    step,
    value: field.value,
    "aria-label": label,
  });
  const words = h("output", { class: "nf-words", for: field.id });
  const show = (): void => {
    const value = Number(field.value);
    words.textContent = Number.isFinite(value) ? valueOf(option, value) : "";
    slider.setAttribute("aria-valuetext", words.textContent);
  };
  slider.addEventListener("input", () => {
    field.value = slider.value;
    show();
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
  field.addEventListener("input", () => {
    slider.value = field.value;
    show();
  });
  const row = h("div", { class: "nf-sliderow" }, slider);
  field.before(row);
  row.append(field);
  if (option === "memory_mb" || option === "minutes") row.append(words);
  show();
}
