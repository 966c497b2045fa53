// What the server extension answers (docs/reference/server-api.md), as far as it is shown.

export interface Summary {
  pid: string;
  type: "raw" | "derived";
  title: string | null;
  techniques: string[];
  instrument: string | null;
  created: string | null;
  size: number;
  files: number;
  storage: string | null;
  facility?: string | null;
  source?: string | null;
  doi?: string | null;
  public?: boolean;
  availability?: "online" | "remote" | "tape" | "unknown" | null;
  thumbnail?: boolean;
}

export interface SourceState {
  source: string;
  state: "asking" | "answered" | "timeout" | "failed" | "unsupported";
  message?: string | null;
  hint?: string | null;
  total?: number | null;
  total_exact?: boolean;
  seconds?: number | null;
  /** Why it did not answer, in the words of the REST API: `token-expired`, `unavailable`, … */
  reason?: string | null;
}

export type SearchEvent =
  | ({ event: "source" } & SourceState)
  | { event: "datasets"; source: string; datasets: Summary[] }
  | { event: "also"; pid: string; source: string }
  | { event: "end"; total: number; total_exact?: boolean; next?: string | null; near?: NearValues[] };

/** Where nothing was found: values like one that was asked for, each with the search for it. */
export interface NearValues {
  field: string;
  value: string;
  near: { value: string; query: string }[];
}

export interface SearchRequest {
  q: string;
  order: Order;
  limit: number;
  cursor: string | null;
}

export type Order = "newest" | "relevance";

export interface Facets {
  counts: Record<string, Record<string, number>>;
  exact?: boolean;
}

export interface Completion {
  insert: string;
  label: string;
  kind: "field" | "value" | "technique";
  count?: number | null;
}

export interface Completions {
  /** In characters as Python counts them; see `units` in text.ts. */
  start: number;
  end: number;
  items: Completion[];
}

export interface DataFile {
  path: string;
  size: number;
  role?: string;
}

export interface Access {
  owner?: string | null;
  owner_group?: string | null;
  access_groups?: string[];
  public?: boolean;
  embargo_until?: string | null;
}

/** The whole record; what a catalogue does not say is null. */
export interface Dataset {
  pid: string;
  type: "raw" | "derived";
  title: string | null;
  description?: string | null;
  techniques: string[];
  format?: string | null;
  instrument?: string | null;
  facility?: string | null;
  sample?: string | null;
  proposal?: string | null;
  creators?: string[];
  license?: string | null;
  doi?: string | null;
  landing_page?: string | null;
  source?: string | null;
  start_time?: string | null;
  end_time?: string | null;
  created?: string | null;
  keywords?: string[];
  storage?: string | null;
  availability?: Summary["availability"];
  thumbnail?: boolean;
  source_folder?: string | null;
  size: number;
  files?: DataFile[];
  arrays?: { signal?: boolean }[];
  access?: Access;
  warnings?: string[];
  scientific?: Record<string, unknown>;
  input_datasets?: string[];
  used_software?: string[];
  /** Code that opens it. */
  snippet?: string | null;
}

export interface FilePage {
  files: DataFile[];
  total: number;
}

export interface Related {
  inputs: Summary[];
  derived: Summary[];
  /** PIDs of inputs that cannot be found. */
  missing: string[];
  /** PIDs of inputs that a catalogue may have that did not answer. */
  unknown?: string[];
}

/** One dataset, wherever it is. */
export interface Ref {
  pid: string;
  source: string | null;
}
