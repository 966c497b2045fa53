// What the answer of a plan means, in words. Pure, so that it can be tested without a page.
import { bytes, startWords } from "../lib/words.ts";
import type { Options, Plan, Problem } from "./types.ts";

/** The summary: where the session would be, what crosses the network, when it may start. */
export function summary(plan: Plan, options: Options, now = Date.now()): { place: string; start: string } {
  const parts: string[] = [];
  if (options.datasets.length > 0) {
    const reason = plan.reason.trim().replace(/[.;]+$/, "");
    if (plan.near && plan.bytes_far === 0) parts.push(`Starts next to your data on ${plan.near}`);
    else if (plan.near) parts.push(`Starts on ${plan.near}, next to most of your data`);
    else parts.push("Does not start next to your data");
    parts.push(`${bytes(plan.bytes_far)} cross the network`);
    if (reason && !parts.some((part) => part.toLowerCase().includes(reason.toLowerCase()))) parts.push(reason);
  }
  return { place: parts.length ? `${parts.join("; ")}.` : "", start: startWords(plan.start, now) };
}

/** All that stands against a start: the plan's problems and datasets that may not be read. */
export function obstacles(plan: Plan): Problem[] {
  const found = [...plan.problems];
  const told = found.map((p) => p.message).join("\n");
  for (const right of plan.rights)
    if (right.answer === "no" && !told.includes(right.pid))
      found.push({ field: "datasets", message: right.reason || `you may not read ${right.path}`, hint: "" });
  return found;
}

/** A problem as one text: what, then what to do. */
export function problemWords(problem: Problem): string {
  const message = problem.message.trim();
  const ended = /[.!?]$/.test(message) ? message : `${message}.`;
  const start = ended.charAt(0).toUpperCase() + ended.slice(1);
  const hint = problem.hint ? ` ${problem.hint.charAt(0).toUpperCase()}${problem.hint.slice(1)}` : "";
  return `${start}${hint && !/[.!?]$/.test(hint) ? `${hint}.` : hint}`;
}

/** Why a number does not fit its slider; empty where it does. */
export function numberProblem(text: string, least: number, most: number, step: number): string {
  if (!/^\d+$/.test(text.trim())) return "Must be a whole number";
  const value = Number(text);
  if (value < least || value > most) return `Must be from ${least} to ${most}`;
  if ((value - least) % step !== 0) return `Must be ${least}, ${least + step}, ${least + 2 * step}, …`;
  return "";
}
