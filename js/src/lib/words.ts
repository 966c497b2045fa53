// Sizes and times as people say them.

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** `0 B`, `12.3 GB`: decimal units, as storage is sold. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let at = 0;
  let left = Math.max(0, count);
  while (left >= 999.5 && at < units.length - 1) {
    left /= 1000;
    at += 1;
  }
  const shown = at === 0 || left >= 99.5 ? left.toFixed(0) : left.toFixed(1);
  return `${shown} ${units[at]}`;
}

/** `7.81 GiB`, as the form's own words. */
export function memory(mebibytes: number): string {
  if (mebibytes < 1024) return `${mebibytes} MiB`;
  return `${Number((mebibytes / 1024).toPrecision(3))} GiB`;
}

/** `1 h 30 min`; from two days on `3 d 4 h`. */
export function duration(minutes: number): string {
  const days = minutes >= 48 * 60 ? Math.floor(minutes / 1440) : 0;
  const rest = minutes - days * 1440;
  const parts: [number, string][] = [
    [days, "d"],
    [Math.floor(rest / 60), "h"],
    [rest % 60, "min"],
  ];
  return parts.filter(([n]) => n).map(([n, unit]) => `${n} ${unit}`).join(" ") || "0 min";
}

/** A value of an option in words. */
export function valueOf(option: string, value: number): string {
  if (option === "memory_mb") return memory(value);
  if (option === "minutes") return duration(value);
  return String(value);
}

/** Seconds since the epoch, or a date as text, as milliseconds. */
export function instant(given: number | string | null | undefined): number | null {
  if (given === null || given === undefined || given === "") return null;
  const at = typeof given === "number" ? given * 1000 : Date.parse(given);
  return Number.isFinite(at) ? at : null;
}

function clock(at: number, now: number): string {
  const date = new Date(at);
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (date.toDateString() === new Date(now).toDateString()) return time;
  return `${date.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short" })}, ${time}`;
}

export interface Span {
  earliest: number | string | null;
  latest: number | string | null;
}

/** When a job may start: `within a minute`, `between 12:05 and 12:40`, `not known`. */
export function startWords(span: Span | null | undefined, now = Date.now()): string {
  const earliest = instant(span?.earliest);
  const latest = instant(span?.latest);
  const soon = now + 60_000;
  if (earliest === null && latest === null) return "not known";
  if (latest !== null && latest <= soon) return "within a minute";
  if (earliest === null || earliest <= soon)
    return latest === null ? "not known" : `between now and ${clock(latest, now)}`;
  if (latest === null) return `from ${clock(earliest, now)} on`;
  const [from, to] = [clock(earliest, now), clock(latest, now)];
  return from === to ? `about ${from}` : `between ${from} and ${to}`;
}

/** `12 Mar 2026` from a date as text; what is no date stays as it is. */
export function day(given: string | null | undefined): string {
  const at = instant(given);
  if (at === null) return given ?? "";
  return new Date(at).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}
