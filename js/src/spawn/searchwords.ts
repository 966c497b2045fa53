// What is said of a search: where it cannot be understood, and which catalogues did not answer.
import type { SourceState } from "./types.ts";

const BEFORE = 20;
const AFTER = 20;

/** The text around a character, in three parts; the middle one is the character, or "␣" at the end. */
export function around(text: string, position: number): [string, string, string] {
  // Positions count characters as Python does: one beyond the first plane is one.
  const all = [...text];
  const at = Math.max(0, Math.min(position, all.length));
  const from = Math.max(0, at - BEFORE);
  const to = Math.min(all.length, at + 1 + AFTER);
  const here = all[at];
  return [
    (from > 0 ? "…" : "") + all.slice(from, at).join(""),
    here === undefined || here.trim() === "" ? "␣" : here,
    all.slice(at + 1, to).join("") + (to < all.length ? "…" : ""),
  ];
}

/** `icat: no answer in 3 s`, for each catalogue whose results are not there; "" where all are. */
export function silent(sources: readonly SourceState[] | undefined): string {
  return (sources ?? [])
    .filter((one) => one.state !== "answered")
    .map((one) => `${one.source}: ${one.message ?? one.state}`)
    .join("; ");
}
