// Where datasets come from: the server's REST API in JupyterLab, the kernel in a notebook.
import type { Completions, Dataset, Facets, FilePage, Ref, Related, SearchEvent, SearchRequest } from "./types.ts";

export interface DataSource {
  /** Tells each event as it comes; resolves after the last one. */
  search(asked: SearchRequest, tell: (event: SearchEvent) => void, signal: AbortSignal): Promise<void>;
  facets(q: string, signal: AbortSignal): Promise<Facets>;
  completions(q: string, at: number, signal: AbortSignal): Promise<Completions>;
  dataset(ref: Ref, signal: AbortSignal): Promise<Dataset>;
  files(ref: Ref, offset: number, limit: number, signal: AbortSignal): Promise<FilePage>;
  related(ref: Ref, signal: AbortSignal): Promise<Related>;
  thumbnail(ref: Ref, signal: AbortSignal): Promise<Blob | null>;
}

export type Reason =
  | "syntax"
  | "unsupported"
  | "not-found"
  | "forbidden"
  | "token-expired"
  | "unavailable"
  | "usage"
  | "blocked"
  /** Nobody answers there. */
  | "unreachable"
  /** A server without Nearfield's extension. */
  | "missing"
  /** A notebook's kernel is silent. */
  | "no-kernel"
  | null;

const REASONS: readonly Reason[] = [
  "syntax",
  "unsupported",
  "not-found",
  "forbidden",
  "token-expired",
  "unavailable",
  "usage",
  "blocked",
  "unreachable",
  "missing",
  "no-kernel",
];

/** A question that was not answered, and why, in words for people. */
export class DataError extends Error {
  readonly hint: string;
  readonly reason: Reason;
  /** Of a syntax error: where, in characters as Python counts them. */
  readonly position: number | null;

  constructor(message: string, reason: Reason = null, hint = "", position: number | null = null) {
    super(message);
    this.reason = reason;
    this.hint = hint;
    this.position = position;
  }
}

/** What a refusal says; its body may be anything. `null` where it says nothing. */
export function refusal(body: unknown): DataError | null {
  const said = (body ?? {}) as Record<string, unknown>;
  if (typeof said["message"] !== "string" || !said["message"]) return null;
  const reason = REASONS.find((known) => known === said["reason"]) ?? null;
  const hint = typeof said["hint"] === "string" ? said["hint"] : "";
  const position = typeof said["position"] === "number" ? said["position"] : null;
  return new DataError(said["message"], reason, hint, position);
}

/** Any failure as one that can be shown. */
export function asDataError(error: unknown): DataError {
  if (error instanceof DataError) return error;
  return new DataError(error instanceof Error && error.message ? error.message : String(error));
}
