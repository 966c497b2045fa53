// What is done with the text of a search: places in it, its conditions, its words in titles.

/** Where character `at`, as Python counts, is in a JavaScript string. */
export function units(text: string, at: number): number {
  return Array.from(text).slice(0, Math.max(0, at)).join("").length;
}

/** The other way round: how many characters there are before `at`. */
export function points(text: string, at: number): number {
  return Array.from(text.slice(0, at)).length;
}

/** The text before, at and after an error; at the end something to point at. */
export function around(text: string, position: number): [string, string, string] {
  const at = Math.min(units(text, position), text.length);
  const [first = ""] = Array.from(text.slice(at));
  return [text.slice(0, at), first || "␣", text.slice(at + first.length)];
}

// Of these only one value can hold (docs/reference/query-language.md).
const SINGLE = new Set(["type", "order"]);
// Of these a value is found by its words; `=` before it means the whole of it.
const WORDED = new Set(["instrument", "facility", "sample", "proposal", "owner", "keyword", "format"]);
const QUOTED = /"[^"]*"?|[“„][^”“]*[”“]?|«[^»]*»?/;

/** A value as it is typed; quoted where something in it could be read as something else. */
function valueText(value: string): string {
  if (value && !/[\s,"“„«\0]/.test(value)) return value;
  // There are no escapes: the quotes are such that the text itself does not hold.
  for (const [opening, closing] of ['""', "“”", "«»"]) if (!value.includes(closing as string)) return `${opening}${value}${closing}`;
  return `"${value.replaceAll('"', " ")}"`;
}

/** `field:value` as it is typed, for just this value. */
export function condition(field: string, value: string): string {
  return `${field}:${WORDED.has(field) ? "=" : ""}${valueText(value)}`;
}

/** The parts of a search between blanks; a quoted text is one part with what stands before it. */
export function parts(text: string): string[] {
  return text.match(new RegExp(`(?:[^\\s"“„«]|${QUOTED.source})+`, "gu")) ?? [];
}

/** The values of a part `field:one,="the other"`, each as it is typed; null where it is about something else. */
function valuesOf(part: string, field: string): string[] | null {
  if (!part.toLowerCase().startsWith(`${field.toLowerCase()}:`)) return null;
  return part.slice(field.length + 1).match(new RegExp(`(?:[^,"“„«]|${QUOTED.source})+`, "gu")) ?? [];
}

/** What a typed value says, without its quotes and the mark of a whole one. */
function plain(typed: string): string {
  const said = typed.replace(/^=(?=.)/u, "");
  return /^["“„«]/.test(said) ? said.replace(/^.=?|["”“»]$/gu, "") : said;
}

function same(typed: string, value: string): boolean {
  return plain(typed).toLowerCase() === value.toLowerCase();
}

/** Is the condition a part of the search? Quoted or not, in any case. */
export function has(text: string, field: string, value: string): boolean {
  return parts(text).some((part) => valuesOf(part, field)?.some((one) => same(one, value)) ?? false);
}

/** The search with the condition added, or without it where it was there. */
export function toggled(text: string, field: string, value: string): string {
  if (!has(text, field, value)) {
    const kept = SINGLE.has(field) ? parts(text).filter((part) => valuesOf(part, field) === null).join(" ") : text.trim();
    return [kept, condition(field, value)].filter(Boolean).join(" ");
  }
  const left = parts(text).map((part) => {
    const values = valuesOf(part, field);
    if (!values?.some((one) => same(one, value))) return part;
    const others = values.filter((one) => !same(one, value));
    return others.length ? `${field}:${others.join(",")}` : "";
  });
  return left.filter(Boolean).join(" ");
}

/** The plain words and phrases of a search: what may be marked in a title. */
export function wordsOf(text: string): string[] {
  return parts(text)
    .filter((part) => /^["“„«]/.test(part) || !/[:<>=≤≥]/.test(part))
    .map((part) => part.replace(/^["“„«]|["”“»]$/g, "").trim())
    .filter((word) => word !== "" && !/^[-()]+$/.test(word));
}

export interface Piece {
  text: string;
  hit: boolean;
}

/** `title` in pieces, those marked that begin a word with one of the search's. */
export function pieces(title: string, words: readonly string[]): Piece[] {
  const wanted = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).filter(Boolean);
  if (!wanted.length) return [{ text: title, hit: false }];
  // The longest first, or `silver` would win over `silver behenate`.
  wanted.sort((a, b) => b.length - a.length);
  const found = new RegExp(`(?<![\\p{L}\\p{N}])(?:${wanted.join("|")})`, "giu");
  const out: Piece[] = [];
  let from = 0;
  for (const match of title.matchAll(found)) {
    if (match.index > from) out.push({ text: title.slice(from, match.index), hit: false });
    out.push({ text: match[0], hit: true });
    from = match.index + match[0].length;
  }
  if (from < title.length || !out.length) out.push({ text: title.slice(from), hit: false });
  return out;
}
