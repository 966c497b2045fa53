// What the answer of a plan means, in words. Pure, so that it can be tested without a page.
import { bytes, instant, startWords, type Span } from "../lib/words.ts";
import type { Alternative, Options, Plan, Problem } from "./types.ts";

/** The summary: where the session would be, why, what crosses the network, when it may start. */
export function summary(
  plan: Plan,
  options: Options,
  now = Date.now(),
): { place: string; reason: string; start: string } {
  const start = startWords(plan.start, now);
  if (options.datasets.length === 0) return { place: "", reason: "", start };
  const network = `${bytes(plan.bytes_far)} cross the network.`;
  const place = !plan.near
    ? "Does not start next to your data"
    : plan.bytes_far === 0
      ? `Starts next to your data on ${plan.near}`
      : `Starts on ${plan.near}, next to most of your data`;
  // "Next to 5 GB in storage-a" alone would say the place twice.
  const said = plan.near !== null && plan.bytes_far === 0 && /^next to [^,;]+$/.test(plan.reason) && plan.reason.endsWith(` in ${plan.near}`);
  return { place: `${place}; ${network}`, reason: said ? "" : sentence(plan.reason), start };
}

const OPTIONS = ["profile", "hardware", "cores", "memory_mb", "minutes", "gpus", "gpu_type", "account", "qos", "reservation"];

const MINUTE = 60_000;

/** Those of a plan's alternatives that are better in something: nearer, or sooner by a minute. */
export function better(plan: Plan, now = Date.now()): Alternative[] {
  const latest = (span: Span | null): number => instant(span?.latest) ?? Number.POSITIVE_INFINITY;
  const mine = Math.max(latest(plan.start), now);
  return plan.alternatives.filter(
    (other) => other.bytes_far < plan.bytes_far || Math.max(latest(other.start), now) < mine - MINUTE,
  );
}

/** Options that leave the hardware to the hub: the defaults of one hardware say nothing of others. */
export function unplaced({ profile, datasets }: Options): Options {
  return { profile, datasets };
}

/** Whether the form is somebody else's: rights and places are then asked for that user. */
export function isForAnother(user: string | undefined, asker: string | undefined): boolean {
  return Boolean(user && asker && user !== asker);
}

/** What stands against each of the chosen datasets, to be said where it is listed. */
export function reasonsOf(plan: Plan, pids: readonly string[]): Map<string, string> {
  const reasons = new Map<string, string>();
  for (const pid of pids) {
    const right = plan.rights.find((one) => one.pid === pid && one.answer === "no");
    const problem = plan.problems.find((one) => one.pid === pid);
    if (right) reasons.set(pid, sentence(right.reason || `you may not read ${right.path}`));
    else if (problem) reasons.set(pid, sentence(problem.message));
  }
  return reasons;
}

/** One problem per field: a message that speaks of several values is taken apart. */
function apart(problem: Problem): Problem[] {
  if (problem.field !== "hardware" && problem.field !== "options") return [problem];
  const parts = problem.message.replace(/^spawn options refused: /, "").split("; ");
  const fields = parts.map((part) => OPTIONS.find((name) => part.startsWith(`${name} `) || part.startsWith(`${name}: `)));
  if (fields.some((field) => field === undefined)) return [problem];
  return parts.map((message, index) => ({ ...problem, field: fields[index] ?? problem.field, message }));
}

/** All that stands against a start: the plan's problems and datasets that may not be read. */
export function obstacles(plan: Plan): Problem[] {
  const found = plan.problems.flatMap(apart);
  const told = new Set(found.map((p) => p.pid));
  for (const right of plan.rights)
    if (right.answer === "no" && !told.has(right.pid))
      found.push({ pid: right.pid, field: "datasets", message: right.reason || `you may not read ${right.path}`, hint: "" });
  return found;
}

/** A dataset by its title, where one is known: nobody knows PIDs by heart. */
export function withTitles(text: string, titles: Iterable<readonly [pid: string, title: string]>): string {
  let told = text;
  for (const [pid, title] of titles) if (title) told = told.replaceAll(`dataset ${pid} `, () => `dataset “${title}” `);
  return told;
}

/** With a capital and a full stop; nothing stays nothing. */
export function sentence(text: string | null): string {
  const given = (text ?? "").trim();
  if (!given) return "";
  return `${given.charAt(0).toUpperCase()}${given.slice(1)}${/[.!?]$/.test(given) ? "" : "."}`;
}

/** A problem as one text: what, then what to do. */
export function problemWords(problem: Problem): string {
  return [sentence(problem.message), sentence(problem.hint)].filter(Boolean).join(" ");
}

/** Why a number does not fit its slider; empty where it does. */
export function numberProblem(text: string, least: number, most: number, step: number): string {
  if (!/^\d+$/.test(text.trim())) return "Must be a whole number";
  const value = Number(text);
  if (value < least || value > most) return `Must be from ${least} to ${most}`;
  if ((value - least) % step !== 0) return `Must be ${least}, ${least + step}, ${least + 2 * step}, …`;
  return "";
}
