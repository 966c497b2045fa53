// The card of each environment, below its profile; only that of the chosen one is to be seen.
import type { Api } from "../lib/api.ts";
import { all, h, need } from "../lib/dom.ts";
import { linesOf, verdictOf } from "./imagewords.ts";
import type { Choices, ProfileShown } from "./types.ts";

/** The hub looks at a large image in the background: it is asked again, ever more slowly. */
const AGAIN_MS = [2_000, 5_000, 15_000, 60_000];

/** Whether the hub has still to find out something about an image. */
export function isLooking(choices: Choices): boolean {
  return choices.profiles.some(({ environment }) => environment.card?.verdict === "");
}

export class ImageCards {
  private readonly api: Api;
  private readonly root: HTMLElement;
  private readonly learnt: (profiles: readonly ProfileShown[]) => void;

  constructor(api: Api, root: HTMLElement, learnt: (profiles: readonly ProfileShown[]) => void) {
    this.api = api;
    this.root = root;
    this.learnt = learnt;
  }

  /** Asks, shows, and asks again while images are being looked at. A card is for show: no error. */
  async show(turn = 0): Promise<void> {
    let choices: Choices;
    try {
      choices = await this.api.get<Choices>("nearfield/choices");
    } catch {
      return;
    }
    for (const profile of choices.profiles) this.place(profile);
    this.learnt(choices.profiles);
    const wait = AGAIN_MS[turn];
    if (wait !== undefined && isLooking(choices)) setTimeout(() => void this.show(turn + 1), wait);
  }

  private place(profile: ProfileShown): void {
    const card = all("#nf-profiles > .nf-card", this.root).find((one) => one.dataset["profile"] === profile.name);
    if (!card) return;
    const old = card.querySelector<HTMLDetailsElement>(".nf-image");
    const made = detailsOf(profile);
    if (!made) old?.remove();
    else if (!old) card.append(made);
    else if (old.textContent !== made.textContent) {
      // Only what is in it is replaced: whoever reads it keeps it open, and the focus.
      need("summary", old).replaceChildren(...need("summary", made).childNodes);
      need(".nf-image-about", old).replaceWith(need(".nf-image-about", made));
    }
  }
}

function detailsOf({ environment }: ProfileShown): HTMLDetailsElement | null {
  const { card, description } = environment;
  if (!card) return null;
  const verdict = verdictOf(card);
  const lines = linesOf(card).map(({ name, value, code }) =>
    h("div", { class: "nf-fact" }, h("dt", {}, name), h("dd", {}, code ? h("code", {}, value) : value)),
  );
  return h(
    "details",
    { class: "nf-image" },
    h(
      "summary",
      {},
      h("span", {}, "About this environment"),
      h("span", { class: `nf-verdict nf-verdict-${verdict.tone}` }, verdict.text),
    ),
    h("div", { class: "nf-image-about" }, description ? h("p", {}, description) : null, h("dl", {}, ...lines)),
  );
}
