// Search for datasets, as the person who looks at the page, and the chosen ones as chips.
import type { Api } from "../lib/api.ts";
import { ApiError } from "../lib/api.ts";
import { h, need, say } from "../lib/dom.ts";
import { Latest } from "../lib/latest.ts";
import { bytes, day, plural } from "../lib/words.ts";
import { pidsIn } from "./pids.ts";
import { around, silent } from "./searchwords.ts";
import type { Dataset, DatasetPage } from "./types.ts";

const LIMIT = 20;
const TYPING_MS = 250;

/** One line about a dataset: technique, instrument, date, size, storage. */
export function about(dataset: Dataset): string {
  return [
    dataset.techniques.join(", "),
    dataset.instrument,
    day(dataset.created),
    dataset.size === null ? "" : bytes(dataset.size),
    dataset.files === null || dataset.files < 2 ? "" : plural(dataset.files, "file"),
    dataset.storage ? `on ${dataset.storage}` : "",
    dataset.type === "derived" ? "derived" : "",
  ]
    .filter(Boolean)
    .join(" · ");
}

/** A dataset of which nothing is known but its PID. */
export function unknown(pid: string): Dataset {
  const nothing = { instrument: null, created: null, size: null, files: null, type: null, storage: null };
  return { pid, title: "", techniques: [], ...nothing };
}

interface Search {
  text: string;
  /** Where the next page begins; null for the first. */
  cursor: string | null;
}

/** Results with one more page; what has come already does not come again. */
export function joined(found: readonly Dataset[], more: readonly Dataset[]): Dataset[] {
  const known = new Set(found.map((one) => one.pid));
  return [...found, ...more.filter((one) => !known.has(one.pid))];
}

/** Backspace in the empty field takes the last dataset away; held down, it stops there. */
export function takesLast(event: Pick<KeyboardEvent, "key" | "repeat">, text: string): boolean {
  return event.key === "Backspace" && !event.repeat && text === "";
}

export class Datasets {
  private readonly api: Api;
  private readonly changed: () => void;
  private readonly query = need<HTMLInputElement>("#nf-query");
  private readonly list = need<HTMLUListElement>("#nf-results");
  private readonly chips = need<HTMLUListElement>("#nf-chosen");
  private readonly status = need("#nf-status");
  private readonly busy = need("#nf-busy");
  private readonly more = need<HTMLButtonElement>("#nf-more");
  private readonly chosen = new Map<string, Dataset>();
  private found: Dataset[] = [];
  private next: string | null = null;
  private active = -1;
  private took = false;
  private stale = false;
  private reasons = new Map<string, string>();
  private unusable = new Map<string, string>();
  private readonly missing = new Set<string>();
  private readonly search: Latest<Search>;

  constructor(api: Api, changed: () => void) {
    this.api = api;
    this.changed = changed;
    this.search = new Latest((asked, signal) => this.look(asked, signal), TYPING_MS);
    this.query.addEventListener("input", () => {
      // Results of what stood there before are not chosen from any more.
      this.stale = true;
      this.more.disabled = true;
      this.list.classList.add("nf-waiting");
      this.begin(TYPING_MS);
    });
    this.query.addEventListener("focus", () => {
      if (this.list.hidden) this.begin();
    });
    this.query.addEventListener("keydown", (event) => this.key(event));
    this.query.addEventListener("paste", (event) => this.paste(event));
    this.more.addEventListener("click", () => {
      if (this.next) this.begin(0, this.next);
      this.query.focus(); // the button is off until the answer is there: the arrows go on from the field
    });
    document.addEventListener("pointerdown", (event) => {
      if (!need("#nf-search").contains(event.target as Node)) this.close();
    });
    need("#nf-search").addEventListener("focusout", (event) => {
      const to = (event as FocusEvent).relatedTarget as Node | null;
      if (to && !need("#nf-search").contains(to)) this.close();
    });
  }

  get all(): Dataset[] {
    return [...this.chosen.values()];
  }

  get pids(): string[] {
    return [...this.chosen.keys()];
  }

  /** Chooses those of a deep link or of last time, and fetches what they are. */
  async preset(pids: string[]): Promise<void> {
    for (const pid of pids) this.chosen.set(pid, unknown(pid));
    this.showChips();
    if (pids.length) await this.resolve(pids);
  }

  /** What the plan says of single datasets, shown in their chips. */
  showReasons(reasons: Map<string, string>): void {
    this.reasons = reasons;
    this.mind();
  }

  private mind(): void {
    for (const chip of this.chips.children as HTMLCollectionOf<HTMLElement>) {
      const pid = chip.dataset["pid"] ?? "";
      const reason = this.reasons.get(pid) ?? (this.missing.has(pid) ? "Not found, or not yours to see." : "");
      chip.classList.toggle("nf-refused", reason !== "");
      say(need(".nf-why", chip), reason);
    }
  }

  focus(): void {
    this.query.focus();
  }

  // ---------------------------------------------------------------- asking

  private async ask(parameters: Record<string, string | string[]>, signal?: AbortSignal): Promise<DatasetPage> {
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(parameters))
      for (const one of [value].flat()) query.append(key, one);
    return this.api.get<DatasetPage>(`nearfield/datasets?${query}`, signal);
  }

  private begin(delay = 0, cursor: string | null = null): void {
    this.search.ask({ text: this.query.value, cursor }, delay);
  }

  private async look({ text, cursor }: Search, signal: AbortSignal): Promise<void> {
    const pids = pidsIn(text);
    this.busy.hidden = false;
    this.more.disabled = true;
    try {
      const asked = pids.length ? { pids } : { text: text.trim(), limit: String(LIMIT), ...(cursor ? { cursor } : {}) };
      const page = await this.ask(asked, signal);
      this.found = cursor ? joined(this.found, page.datasets) : page.datasets;
      if (!cursor) this.unusable.clear();
      for (const [pid, reason] of Object.entries(page.unusable ?? {})) this.unusable.set(pid, reason);
      this.next = page.next;
      const missed = silent(page.sources);
      const without = missed ? ` Not from all catalogues: ${missed}.` : "";
      this.open();
      if (!this.found.length) {
        say(
          this.status,
          pids.length || text.trim()
            ? `No dataset that you may see fits “${text.trim()}”.${without}`
            : `The catalogue holds no dataset that you may see.${without}`,
        );
      } else
        say(this.status, `${plural(this.found.length, "dataset")}${this.next ? ", and more" : ""}.${without}`);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.position !== null) this.notUnderstood(text, error, error.position);
      else this.failed(error);
    } finally {
      if (!signal.aborted) this.busy.hidden = true;
    }
  }

  private async resolve(pids: string[]): Promise<void> {
    try {
      const { datasets } = await this.ask({ pids });
      for (const dataset of datasets) if (this.chosen.has(dataset.pid)) this.chosen.set(dataset.pid, dataset);
      for (const pid of pids)
        if (datasets.some((dataset) => dataset.pid === pid)) this.missing.delete(pid);
        else this.missing.add(pid);
    } catch (error) {
      this.failed(error);
    }
    this.showChips();
  }

  /** Points at the character; the field stays as it is, to be mended. */
  private notUnderstood(text: string, error: ApiError, position: number): void {
    this.took = false; // what stands in the field is not done with
    this.close();
    const [before, here, after] = around(text.trim(), position);
    this.status.replaceChildren(
      h(
        "div",
        { class: "alert alert-warning nf-alert" },
        `${error.message}:`,
        h("code", { class: "nf-asked" }, before, h("mark", {}, here), after),
        error.hint,
      ),
    );
  }

  private failed(error: unknown): void {
    this.close();
    const why = error instanceof ApiError ? error.message : String(error);
    this.status.replaceChildren(
      h(
        "div",
        { class: "alert alert-warning nf-alert" },
        `Datasets cannot be searched now: ${why.replace(/\.$/, "")}. You can still start without one, or paste PIDs and press Enter. `,
        h("button", { type: "button", class: "btn btn-sm btn-outline-secondary", onclick: () => this.retry() }, "Try again"),
      ),
    );
  }

  private retry(): void {
    say(this.status, "");
    const bare = this.all.filter((dataset) => !dataset.title).map((dataset) => dataset.pid);
    if (bare.length) void this.resolve(bare);
    this.begin();
    this.query.focus();
  }

  // ---------------------------------------------------------------- results

  private open(): void {
    this.active = -1;
    this.stale = false;
    this.more.disabled = false;
    this.list.classList.remove("nf-waiting");
    this.query.removeAttribute("aria-activedescendant");
    this.list.replaceChildren(...this.found.map((dataset, index) => this.row(dataset, index)));
    this.list.hidden = this.found.length === 0;
    this.more.hidden = this.next === null || this.list.hidden;
    this.query.setAttribute("aria-expanded", String(!this.list.hidden));
  }

  private close(): void {
    // What was searched has been found: the field is free for the next search.
    if (this.took) this.query.value = "";
    this.took = false;
    this.search.cancel();
    this.busy.hidden = true;
    this.list.hidden = true;
    this.more.hidden = true;
    this.active = -1;
    this.query.setAttribute("aria-expanded", "false");
    this.query.removeAttribute("aria-activedescendant");
    say(this.status, "");
  }

  private row(dataset: Dataset, index: number): HTMLLIElement {
    const reason = this.unusable.get(dataset.pid) ?? "";
    const row = h(
      "li",
      {
        role: "option",
        id: `nf-result-${index}`,
        class: reason ? "nf-result nf-unusable" : "nf-result",
        "aria-selected": String(this.chosen.has(dataset.pid)),
        ...(reason ? { "aria-disabled": "true" } : {}),
      },
      h("span", { class: "nf-tick", "aria-hidden": "true" }),
      h(
        "span",
        { class: "nf-text" },
        h("span", { class: "nf-title" }, dataset.title || dataset.pid),
        h("span", { class: "nf-about" }, reason ? `${about(dataset)} · ${reason}` : about(dataset)),
      ),
    );
    // The focus stays in the field: it is the field that is announced and that arrows act on.
    row.addEventListener("mousedown", (event) => event.preventDefault());
    row.addEventListener("click", () => this.toggle(dataset));
    return row;
  }

  private key(event: KeyboardEvent): void {
    const open = !this.list.hidden;
    if (event.key === "Enter") {
      event.preventDefault(); // in the search field it chooses, it does not start a session
      const dataset = this.found[this.active];
      if (open && dataset && !this.stale) this.toggle(dataset);
      else void this.enter();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) this.begin();
      else if (!this.stale) this.move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      this.close();
    } else if (takesLast(event, this.query.value) && this.pids.length) {
      this.remove(this.pids[this.pids.length - 1] ?? "");
    }
  }

  private move(by: number): void {
    const rows = [...this.list.children];
    rows[this.active]?.classList.remove("nf-active");
    this.active = (this.active + by + rows.length + (this.active < 0 && by < 0 ? 1 : 0)) % rows.length;
    const row = rows[this.active];
    row?.classList.add("nf-active");
    row?.scrollIntoView({ block: "nearest" });
    if (row) this.query.setAttribute("aria-activedescendant", row.id);
  }

  /** Enter without a marked result: PIDs are taken as they are, words are searched at once. */
  private async enter(): Promise<void> {
    const pids = pidsIn(this.query.value);
    if (pids.length) await this.add(pids);
    else if (this.found.length === 1 && !this.stale && !this.list.hidden && this.found[0]) this.toggle(this.found[0]);
    else this.begin();
  }

  private paste(event: ClipboardEvent): void {
    const pids = pidsIn(event.clipboardData?.getData("text") ?? "");
    if (!pids.length || this.query.value.trim()) return;
    event.preventDefault();
    void this.add(pids);
  }

  // ---------------------------------------------------------------- chosen

  private async add(pids: string[]): Promise<void> {
    this.search.cancel();
    this.query.value = "";
    for (const pid of pids) if (!this.chosen.has(pid)) this.chosen.set(pid, unknown(pid));
    this.close();
    this.showChips();
    await this.resolve(pids);
    this.changed();
  }

  private toggle(dataset: Dataset): void {
    const reason = this.unusable.get(dataset.pid);
    if (reason && !this.chosen.has(dataset.pid)) {
      say(this.status, `${dataset.title || dataset.pid} cannot be chosen. ${reason}`);
      return;
    }
    if (this.chosen.has(dataset.pid)) this.chosen.delete(dataset.pid);
    else this.chosen.set(dataset.pid, dataset);
    this.took = true;
    this.mark();
    this.showChips();
    this.changed();
  }

  private remove(pid: string): void {
    this.chosen.delete(pid);
    this.mark();
    this.showChips();
    this.query.focus();
    this.changed();
  }

  private mark(): void {
    [...this.list.children].forEach((row, index) => {
      row.setAttribute("aria-selected", String(this.chosen.has(this.found[index]?.pid ?? "")));
    });
  }

  private showChips(): void {
    this.chips.replaceChildren(
      ...this.all.map((dataset) => {
        const title = dataset.title || dataset.pid;
        return h(
          "li",
          { class: "nf-chip", "data-pid": dataset.pid, title: dataset.pid },
          h("input", { type: "hidden", name: "datasets", value: dataset.pid }),
          h(
            "span",
            { class: "nf-text" },
            h("span", { class: "nf-title" }, title),
            h("span", { class: "nf-about" }, about(dataset)),
            h("span", { class: "nf-why" }),
          ),
          h("button", {
            type: "button",
            class: "btn-close nf-remove",
            "aria-label": `Remove ${title}`,
            onclick: () => this.remove(dataset.pid),
          }),
        );
      }),
    );
    this.mind();
  }
}
