// What is searched, found and shown; the views follow it. No document, no JupyterLab.
import { brokeOff } from "./ndjson.ts";
import type { DataSource } from "./source.ts";
import type { DataError } from "./source.ts";
import { asDataError } from "./source.ts";
import { toggled } from "./text.ts";
import type { Dataset, Facets, NearValues, Order, Ref, SearchEvent, SourceState, Summary } from "./types.ts";

export type Change =
  /** Other results than before. */
  | "results"
  /** Further results after those before. */
  | "more"
  | "sources"
  | "facets"
  | "query"
  | "card";

export interface Card {
  ref: Ref;
  dataset: Dataset | null;
  failure: DataError | null;
}

export interface Settings {
  limit: number;
  order: Order;
  /** Are counts by value asked for? */
  facets: boolean;
}

export class DataModel {
  readonly source: DataSource;
  query = "";
  order: Order = "newest";
  limit = 50;
  /** Is a search under way? */
  busy = false;
  /** Has any search ended yet? */
  asked = false;
  found: Summary[] = [];
  total: number | null = null;
  totalExact = true;
  next: string | null = null;
  /** What a search that found nothing may have meant. */
  near: NearValues[] = [];
  sources = new Map<string, SourceState>();
  failure: DataError | null = null;
  facets: Facets | null = null;
  facetsWanted = false;
  card: Card | null = null;

  private readonly listeners = new Set<(change: Change) => void>();
  private searching: AbortController | undefined;
  private counting: AbortController | undefined;
  private opening: AbortController | undefined;
  private known = new Set<string>();
  /** Also in these, by the PID that is shown. */
  private readonly elsewhere = new Map<string, string[]>();
  private countedFor: string | null = null;

  constructor(source: DataSource) {
    this.source = source;
  }

  /** Calls `listener` after each change, until what it returns is called. */
  follow(listener: (change: Change) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Takes settings on, while something is shown too; what is not given stays. */
  use(settings: Partial<Settings>): void {
    const { limit = this.limit, order = this.order, facets = this.facetsWanted } = settings;
    const begun = this.asked || this.busy;
    const sorted = order === this.order;
    this.limit = limit;
    this.order = order;
    if (facets !== this.facetsWanted) {
      this.facetsWanted = facets;
      this.tell("facets");
      if (facets && begun) void this.count();
    }
    if (!sorted && begun) void this.search(this.query);
  }

  /** Searches for `text`; a search that is under way is given up. */
  async search(text: string): Promise<void> {
    const changed = text !== this.query;
    this.query = text;
    if (changed) this.tell("query");
    this.tell("sources");
    const counted = this.facetsWanted ? this.count() : null;
    await this.ask(null);
    await counted;
  }

  /** The next page, after those that are there. */
  async more(): Promise<void> {
    if (!this.busy && this.next !== null) await this.ask(this.next);
  }

  again(): Promise<void> {
    this.countedFor = null;
    return this.search(this.query);
  }

  toggle(field: string, value: string): Promise<void> {
    return this.search(toggled(this.query, field, value));
  }

  sortBy(order: Order): Promise<void> {
    this.order = order;
    return this.search(this.query);
  }

  showFacets(wanted: boolean): void {
    this.facetsWanted = wanted;
    this.tell("facets");
    if (wanted) void this.count();
  }

  /** The catalogues that have the dataset, the one that told it first. */
  sourcesOf(dataset: { pid: string; source?: string | null }): string[] {
    return [...(dataset.source ? [dataset.source] : []), ...(this.elsewhere.get(dataset.pid) ?? [])];
  }

  /** Shows a dataset's card; `null` shows the results again. */
  async open(ref: Ref | null): Promise<void> {
    this.opening?.abort();
    if (ref === null) {
      this.card = null;
      this.tell("card");
      return;
    }
    const controller = (this.opening = new AbortController());
    const card: Card = (this.card = { ref, dataset: null, failure: null });
    this.tell("card");
    try {
      card.dataset = await this.source.dataset(ref, controller.signal);
    } catch (error) {
      if (controller.signal.aborted) return;
      card.failure = asDataError(error);
    }
    if (!controller.signal.aborted) this.tell("card");
  }

  dispose(): void {
    for (const running of [this.searching, this.counting, this.opening]) running?.abort();
    this.listeners.clear();
  }

  private async ask(cursor: string | null): Promise<void> {
    this.searching?.abort();
    const controller = (this.searching = new AbortController());
    const { signal } = controller;
    this.busy = true;
    this.failure = null;
    // What was found stays until something new is there: a list that blinks cannot be read.
    let first = cursor === null;
    const begin = (): void => {
      if (!first) return;
      first = false;
      this.found = [];
      this.known = new Set();
      this.elsewhere.clear();
      this.total = null;
      this.next = null;
      this.near = [];
      this.tell("results");
    };
    if (cursor === null) this.sources = new Map();
    this.tell("sources");
    try {
      const asked = { q: this.query, order: this.order, limit: this.limit, cursor };
      let ended = false;
      await this.source.search(
        asked,
        (event) => {
          if (signal.aborted) return;
          if (event.event === "end") ended = true;
          if (event.event === "datasets" || event.event === "end") begin();
          this.take(event);
        },
        signal,
      );
      if (!ended && !signal.aborted) throw brokeOff();
    } catch (error) {
      if (signal.aborted) return;
      this.failure = asDataError(error);
      // A mistake in typing keeps the results, a list of a server that is gone helps nobody.
      if (this.failure.reason !== "syntax") begin();
    }
    if (signal.aborted) return;
    this.busy = false;
    this.asked = true;
    this.tell("sources");
  }

  private take(event: SearchEvent): void {
    if (event.event === "source") {
      const { event: _, ...state } = event;
      this.sources.set(state.source, state);
      this.tell("sources");
    } else if (event.event === "datasets") {
      const fresh = event.datasets.filter((one) => !this.known.has(one.pid));
      for (const one of fresh) this.known.add(one.pid);
      this.found.push(...fresh);
      this.tell("more");
    } else if (event.event === "also") {
      this.elsewhere.set(event.pid, [...(this.elsewhere.get(event.pid) ?? []), event.source]);
    } else {
      this.total = event.total;
      this.totalExact = event.total_exact ?? true;
      this.next = event.next ?? null;
      this.near = event.near ?? [];
      this.tell("more");
    }
  }

  private async count(): Promise<void> {
    if (this.countedFor === this.query) return;
    this.counting?.abort();
    const controller = (this.counting = new AbortController());
    const q = (this.countedFor = this.query);
    try {
      const counted = await this.source.facets(q, controller.signal);
      if (controller.signal.aborted) return;
      this.facets = counted;
    } catch {
      // The search itself tells what is wrong; without counts it is as good.
      if (controller.signal.aborted) return;
      this.countedFor = null;
    }
    this.tell("facets");
  }

  private tell(change: Change): void {
    for (const listener of [...this.listeners]) listener(change);
  }
}
