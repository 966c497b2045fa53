// What the hub's API below /hub/api/nearfield/ answers (docs/reference/hub-api.md).
import type { Span } from "../lib/words.ts";

export interface Dataset {
  pid: string;
  title: string;
  techniques: string[];
  instrument: string | null;
  created: string | null;
  size: number | null;
  files: number | null;
  type: string | null;
  storage: string | null;
  /** The catalogue that holds it, where there are several. */
  source?: string | null;
}

/** How one of several catalogues did. */
export interface SourceState {
  source: string;
  state: string;
  message: string | null;
}

export interface DatasetPage {
  datasets: Dataset[];
  next: string | null;
  /** By PID: why one that was found cannot be chosen. */
  unusable?: Record<string, string>;
  sources?: SourceState[];
}

export interface Partition {
  cores_idle: number;
  cores_total: number;
  nodes_idle: number;
  nodes_total: number;
  gpus_idle: number;
  gpus_total: number;
  pending: number;
}

export interface Availability {
  clusters: Record<
    string,
    {
      answers: boolean;
      as_of: number | null;
      partitions: Record<string, Partition>;
      default_partition: string | null;
      message: string;
    }
  >;
}

export interface Problem {
  /** The dataset that it is about. */
  pid?: string | null;
  field: string;
  message: string;
  hint: string | null;
}

export interface Alternative {
  profile: string;
  hardware: string;
  near: string | null;
  bytes_far: number;
  start: Span | null;
  reason: string;
}

export interface Plan {
  profile: string | null;
  hardware: string | null;
  near: string | null;
  reason: string;
  bytes_near: number;
  bytes_far: number;
  alternatives: Alternative[];
  rights: { pid: string; answer: "yes" | "no" | "unknown"; path: string; reason: string }[];
  start: Span | null;
  /** What the user should know although a start would work. */
  notes: string[];
  problems: Problem[];
}

/** An environment's image. Empty: nobody knows, or the hub has still to look. */
export interface Card {
  kernels: string[];
  techniques: string[];
  default_url: string;
  python: string;
  nearfield: string;
  lacks: string[];
  digest: string;
  verdict: string;
  signers: string[];
}

export interface ProfileShown {
  name: string;
  techniques: string[];
  environment: { name: string; title: string; description: string; card: Card | null };
}

export interface Choices {
  profiles: ProfileShown[];
}

/** What the form posts, flat, as REST takes it. */
export interface Options {
  profile: string;
  /** Left out where the hub may choose it by where the data are. */
  hardware?: string;
  datasets: string[];
  [choice: string]: string | number | string[];
}
