// A dataset in words: one line in a list, rows on a card.
import { bytes, day } from "../lib/words.ts";
import type { Trans } from "./trans.ts";
import type { Access, Dataset, SourceState, Summary } from "./types.ts";

const FEW = 10;

/** Can the session make a picture of it? It has a signal to plot, and its bytes are here. */
export function canBePictured(dataset: Dataset): boolean {
  const away = dataset.availability === "tape" || dataset.availability === "remote";
  return !away && (dataset.arrays ?? []).some((array) => array.signal);
}

/** One line about a dataset: technique, instrument, date, size. */
export function about(dataset: Summary): string {
  const size = dataset.size > 0 ? bytes(dataset.size) : "";
  // A line ends between facts, not in one.
  const [date, much] = [day(dataset.created), size].map((text) => text.replaceAll(" ", "\u00a0"));
  return [dataset.techniques.join(", "), dataset.instrument, date, much].filter(Boolean).join(" · ");
}

/** Short marks of a dataset in a list. */
export function badges(dataset: { type: Summary["type"]; availability?: Summary["availability"] | undefined }, trans: Trans): string[] {
  const where = placeBadge(dataset.availability, trans);
  return [...(dataset.type === "derived" ? [trans.__("derived")] : []), ...(where ? [where] : [])];
}

function placeBadge(availability: Summary["availability"], trans: Trans): string {
  if (availability === "tape") return trans.__("on tape");
  if (availability === "remote") return trans.__("remote");
  return "";
}

/** Where the bytes are, in a sentence. */
export function placeWords(dataset: Dataset, trans: Trans): string {
  const { availability, storage } = dataset;
  if (availability === "online") return storage ? trans.__("mounted here, on %1", storage) : trans.__("mounted here");
  if (availability === "remote") return trans.__("remote; fetched over the network when it is opened");
  if (availability === "tape") return trans.__("on tape; opening it would recall it");
  return storage ?? "";
}

/** Who may see it. */
export function rightsWords(access: Access | undefined, now: number, trans: Trans): string {
  if (!access) return "";
  const groups = [...new Set([access.owner_group, ...(access.access_groups ?? [])])].filter(Boolean) as string[];
  const members = groups.length ? trans.__("members of %1", groups.join(", ")) : "";
  const owner = access.owner ? trans.__("owner %1", access.owner) : "";
  const who = [owner, members].filter(Boolean).join("; ");
  const until = access.embargo_until ? Date.parse(zoned(access.embargo_until)) : Number.NaN;
  if (access.public && !(until > now)) return [trans.__("public"), owner].filter(Boolean).join("; ");
  if (access.public) return [trans.__("public from %1 on", day(access.embargo_until)), who].filter(Boolean).join("; ");
  return who || trans.__("not said");
}

/** A time without a zone counts as UTC. */
function zoned(time: string): string {
  return /(?:Z|[+-]\d\d:?\d\d)$/.test(time) ? time : `${time}Z`;
}

/** The rows of a card; what nobody said has none. */
export function facts(dataset: Dataset, now: number, trans: Trans): [string, string][] {
  const when = dataset.start_time ?? dataset.created;
  const rows: [string, string | null | undefined][] = [
    [trans.__("Technique"), dataset.techniques.join(", ")],
    [trans.__("Instrument"), dataset.instrument],
    [trans.__("Facility"), dataset.facility],
    [trans.__("Sample"), dataset.sample],
    [trans.__("Proposal"), dataset.proposal],
    [dataset.type === "derived" ? trans.__("Made") : trans.__("Measured"), when ? moment(when) : ""],
    [trans.__("By"), few(dataset.creators, "; ", trans)],
    [trans.__("Format"), dataset.format],
    [trans.__("Size"), dataset.size > 0 ? bytes(dataset.size) : ""],
    [trans.__("Data"), placeWords(dataset, trans)],
    [trans.__("Who may see it"), rightsWords(dataset.access, now, trans)],
    [trans.__("Licence"), dataset.license],
    [trans.__("Keywords"), few(dataset.keywords, ", ", trans)],
    [trans.__("Software"), few(dataset.used_software, ", ", trans)],
    [trans.__("DOI"), dataset.doi],
    [trans.__("Catalogue"), dataset.source],
    [trans.__("PID"), dataset.pid],
  ];
  return rows.filter((row): row is [string, string] => Boolean(row[1]));
}

/** `12 Mar 2026, 14:05`: the clock as the file has it, whatever zone the reader is in. */
export function moment(time: string): string {
  const clock = /T(\d\d:\d\d)/.exec(time)?.[1];
  const date = /^\d{4}-\d\d-\d\d/.exec(time)?.[0];
  return date ? [day(`${date}T12:00:00`), clock].filter(Boolean).join(", ") : time;
}

/** A scientific value, of whatever shape, in one short line. */
export function valueWords(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(Number(value.toPrecision(7)));
  if (typeof value !== "object") return cut(String(value));
  const { value: inner, unit, units } = value as Record<string, unknown>;
  const short = inner === undefined ? JSON.stringify(value) : [valueWords(inner), unit ?? units].filter(Boolean).join(" ");
  return cut(short);
}

/** The beginning of a text that is too long for its place. */
export function cut(text: string, most = 200): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/** The first ten, and how many more there are. */
function few(all: readonly string[] | null | undefined, between: string, trans: Trans): string {
  const list = all ?? [];
  const rest = list.length - FEW;
  // One more takes no more room than the words about it.
  if (rest < 2) return list.join(between);
  return [...list.slice(0, FEW), trans.__("and %1 more", String(rest))].join(between);
}

/** `1,234 datasets`, `10,000+ datasets`. */
export function totalWords(total: number, exact: boolean, trans: Trans): string {
  const count = total.toLocaleString("en") + (exact ? "" : "+");
  // Languages have more than two forms; the number itself is told with its separators.
  return trans._n("%2 dataset", "%2 datasets", exact ? total : total + 1, count);
}

/** What a source that did not answer has to say; "" for one that did or is being asked. */
export function sourceWords(state: SourceState, trans: Trans): string {
  const usual: Partial<Record<SourceState["state"], string>> = {
    timeout: trans.__("no answer in time"),
    failed: trans.__("it failed"),
    unsupported: trans.__("it cannot search for all of this and was not asked"),
  };
  const words = usual[state.state];
  if (words === undefined) return "";
  const said = state.message || words;
  // Errors name their source themselves.
  return said.includes(state.source) ? said : `${state.source}: ${said}`;
}
