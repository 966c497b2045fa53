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

/** `field:value` as it is typed; quoted where the value is more than a plain word. */
export function condition(field: string, value: string): string {
  if (/^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u.test(value)) return `${field}:${value}`;
  return `${field}:"${value.replace(/(["\\])/g, "\\$1")}"`;
}

/** The parts of a search between blanks; a quoted text is one part with what stands before it. */
export function parts(text: string): string[] {
  return text.match(/(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+/g) ?? [];
}

function same(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** Is the condition a part of the search? Quoted or not, in any case. */
export function has(text: string, field: string, value: string): boolean {
  const forms = [condition(field, value), `${field}:"${value}"`];
  return parts(text).some((part) => forms.some((form) => same(part, form)));
}

/** The search with the condition added, or without it where it was there. */
export function toggled(text: string, field: string, value: string): string {
  const forms = [condition(field, value), `${field}:"${value}"`];
  if (!has(text, field, value)) return [text.trim(), condition(field, value)].filter(Boolean).join(" ");
  return parts(text)
    .filter((part) => !forms.some((form) => same(part, form)))
    .join(" ");
}

/** The plain words and phrases of a search: what may be marked in a title. */
export function wordsOf(text: string): string[] {
  return parts(text)
    .filter((part) => part.startsWith('"') || !/[:<>=]/.test(part))
    .map((part) => part.replace(/^"|"$/g, "").trim())
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
