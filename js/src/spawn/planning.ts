// The summary above the start button: where, what crosses the network, when; problems in place.
import type { Api } from "../lib/api.ts";
import { ApiError, withQuery } from "../lib/api.ts";
import { all, h, need, say, sayList } from "../lib/dom.ts";
import { Latest } from "../lib/latest.ts";
import { startWords } from "../lib/words.ts";
import { FIT_WORDS, type Fit } from "./fit.ts";
import { better, obstacles, problemWords, reasonsOf, sentence, summary, withTitles } from "./planwords.ts";
import type { Alternative, Options, Plan, Problem } from "./types.ts";

export interface Request {
  options: Options;
  wrong: Record<string, string>;
}

/** What the rest of the form does with a plan, and knows for it. */
export interface Form {
  /** Datasets that stand against a start, with the reason. */
  refused(reasons: Map<string, string>): void;
  /** Somebody takes an alternative. */
  choose(profile: string, hardware: string): void;
  /** Where the hub would place it. */
  placed(profile: string, hardware: string): void;
  /** How well a profile's environment fits the chosen datasets. */
  fit(profile: string): Fit;
  /** The chosen datasets with their titles. */
  titles(): [pid: string, title: string][];
}

const KEPT_MS = 30_000;

export class Planning {
  private readonly api: Api;
  private readonly root: HTMLElement;
  private readonly place = need("#nf-plan");
  private readonly notes = need<HTMLUListElement>("#nf-notes");
  private readonly others = need<HTMLUListElement>("#nf-alternatives");
  private readonly kept = new Map<string, { at: number; plan: Plan }>();
  private readonly latest: Latest<Request>;
  private readonly form: Form;
  private readonly path: string;
  /** Whether a start would be refused as far as is known. */
  blocked = false;

  constructor(api: Api, root: HTMLElement, form: Form) {
    this.api = api;
    this.root = root;
    this.form = form;
    this.path = withQuery("nearfield/plan", { server: root.dataset["server"] ?? "" });
    this.latest = new Latest((request, signal) => this.plan(request, signal), 350);
  }

  ask(request: Request): void {
    this.blocked = false;
    const wrong = Object.entries(request.wrong).map(([field, message]) => ({ field, message, hint: "" }));
    this.showProblems(wrong);
    if (wrong.length) {
      this.blocked = true;
      this.latest.cancel();
      say(this.place, "");
      this.others.replaceChildren();
      this.notes.replaceChildren();
      return;
    }
    this.place.classList.add("nf-waiting");
    this.latest.ask(request);
  }

  private async plan({ options }: Request, signal: AbortSignal): Promise<void> {
    const key = JSON.stringify(options);
    try {
      const known = this.kept.get(key);
      const fresh = known && Date.now() - known.at < KEPT_MS;
      const plan = fresh ? known.plan : await this.api.post<Plan>(this.path, options, signal);
      if (!fresh) this.kept.set(key, { at: Date.now(), plan });
      this.show(plan, options);
    } catch (error) {
      if (signal.aborted) return;
      const why = error instanceof ApiError ? error.message : String(error);
      const known = error instanceof ApiError && error.status === 404;
      say(this.place, known ? "" : `Where it would start cannot be told now: ${why.replace(/\.$/, "")}. You can still start.`);
      this.others.replaceChildren();
      this.notes.replaceChildren();
    }
    this.place.classList.remove("nf-waiting");
  }

  private show(plan: Plan, options: Options): void {
    // First, because problems are shown at the inputs of the chosen hardware.
    if (plan.profile && plan.hardware) this.form.placed(plan.profile, plan.hardware);
    const found = obstacles(plan);
    this.blocked = found.length > 0;
    const reasons = reasonsOf(plan, options.datasets);
    this.form.refused(reasons);
    // What is said at a dataset is not said again below.
    const inChip = ({ pid }: Problem): boolean => typeof pid === "string" && reasons.has(pid);
    this.showProblems(found.filter((problem) => !inChip(problem)));
    const words = summary(plan, options);
    const unsure = plan.rights.filter((r) => r.answer === "unknown").length;
    this.place.replaceChildren(
      this.blocked
        ? h("span", { class: "nf-blocked" }, "This cannot start as it is: see what is marked above.")
        : h(
            "span",
            {},
            words.place ? h("strong", { class: "nf-where" }, words.place) : null,
            words.reason ? h("span", { class: "nf-when" }, words.reason) : null,
            h("span", { class: "nf-when" }, `Estimated start: ${words.start}.`),
            unsure ? h("span", { class: "nf-unsure" }, "Your right to read is checked on the node, before the server starts.") : null,
          ),
    );
    sayList(this.notes, plan.notes.map((note) => sentence(withTitles(note, this.form.titles()))));
    const others = this.blocked ? [] : better(plan).filter((one) => this.form.fit(one.profile) !== "other").slice(0, 3);
    this.others.replaceChildren(...others.map((other) => this.alternative(other)));
  }

  private alternative(other: Alternative): HTMLLIElement {
    const title = (part: string, name: string): string =>
      this.root.querySelector(`[data-${part}="${CSS.escape(name)}"] label`)?.textContent?.trim() ?? name;
    const fit = this.form.fit(other.profile);
    const about = [fit === "made" ? "" : FIT_WORDS[fit], other.start ? `start ${startWords(other.start)}` : ""];
    const reason = other.reason ? ` (${other.reason.replace(/\.$/, "")})` : "";
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "btn btn-sm btn-outline-secondary", onclick: () => this.form.choose(other.profile, other.hardware) },
        `${title("profile", other.profile)}, ${title("hardware", other.hardware)}`,
      ),
      `${about.filter(Boolean).join(", ")}${reason}`,
    );
  }

  /** Each problem beside the field it belongs to; those of no field above the button. */
  showProblems(problems: Problem[]): void {
    const left = [...problems];
    for (const place of all(".nf-problem", this.root)) {
      const field = place.dataset["field"] ?? "";
      // Only the inputs of the chosen hardware count; the others' places stay empty.
      const box = place.closest(".nf-input");
      const counts = !box || !box.querySelector(":disabled");
      const mine = counts ? left.filter((p) => p.field === field || (field === "" && !this.has(p.field))) : [];
      const text = mine.map(problemWords).join(" ");
      say(place, text);
      const input = box?.querySelector("input[name], select[name]");
      if (input) text ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid");
    }
  }

  private has(field: string): boolean {
    return all(".nf-problem", this.root).some(
      (place) => place.dataset["field"] === field && !place.closest(".nf-input")?.querySelector(":disabled"),
    );
  }

  /** Leads to the first thing that stands against a start. */
  focusFirst(): void {
    const place = all(".nf-problem, .nf-why", this.root).find((p) => p.textContent);
    const target = place?.closest(".nf-input, .nf-chip, .nf-step")?.querySelector<HTMLElement>("input:not([type=hidden]), select, button");
    place?.scrollIntoView({ block: "center" });
    target?.focus({ preventScroll: true });
  }
}
