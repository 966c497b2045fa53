// The steps of a start, from what the hub's progress says. Pure, so that it can be tested.

/** One message of JupyterHub's progress; Nearfield adds the stage's name and time. */
export interface Progress {
  progress?: number;
  message?: string;
  stage?: string;
  at?: number;
  ready?: boolean;
  failed?: boolean;
  url?: string;
}

export type State = "done" | "now" | "todo" | "failed";

export interface Step {
  name: string;
  title: string;
  state: State;
  message: string;
  /** When it began, in seconds since the epoch. */
  at: number | null;
}

/** Name, title, and from which percentage on; the percentages tell a stage that is not named. */
export const STAGES: readonly [string, string, number][] = [
  ["rights", "Checking rights", 5],
  ["placed", "Placed", 8],
  ["image", "Verifying the image", 10],
  ["submitting", "Submitting", 15],
  ["submitted", "Submitted", 20],
  ["queued", "Waiting in the queue", 30],
  ["allocated", "Node allocated", 50],
  ["checks", "Checking image and data", 55],
  ["container", "Container starting", 60],
  ["server", "Server starting", 75],
  ["ready", "Connecting", 90],
];
/** Said only where they happen: a start that skips them is no less done. */
const PASSING = new Set(["placed", "submitting", "image", "checks", "container"]);

/** The stage of an event; -1 for JupyterHub's own first word, which is none. */
function indexOf(event: Progress): number {
  const named = STAGES.findIndex(([name]) => name === event.stage);
  if (named >= 0) return named;
  let found = -1;
  STAGES.forEach(([, , percent], index) => {
    if ((event.progress ?? 0) >= percent) found = index;
  });
  return found;
}

/** What has been said so far, as steps. */
export class Steps {
  private readonly said = new Map<number, { message: string; at: number }>();
  private current = -1;
  private end: "" | "ready" | "failed" = "";
  failure = "";

  add(event: Progress, now = Date.now() / 1000): void {
    if (event.ready) {
      this.end = "ready";
      return;
    }
    if (event.failed) {
      this.end = "failed";
      this.failure = (event.message ?? "").replace(/^Spawn failed: /, "");
      return;
    }
    const index = indexOf(event);
    if (index < 0) return;
    const before = this.said.get(index);
    // A later word about the same stage is news of it; it began when it was first named.
    this.said.set(index, { message: event.message ?? "", at: before?.at ?? event.at ?? now });
    this.current = Math.max(this.current, index);
  }

  get over(): "" | "ready" | "failed" {
    return this.end;
  }

  list(): Step[] {
    return STAGES.flatMap(([name, title], index): Step[] => {
      const said = this.said.get(index);
      if (!said && (PASSING.has(name) || this.end === "failed")) return [];
      const state: State =
        this.end === "ready" || index < this.current
          ? "done"
          : index > this.current
            ? "todo"
            : this.end === "failed"
              ? "failed"
              : "now";
      return [{ name, ...worded(title, said?.message ?? ""), state, at: said?.at ?? null }];
    });
  }
}

/** A word that says the title again with more takes its place. */
function worded(title: string, message: string): { title: string; message: string } {
  const again = message.toLowerCase().startsWith(title.toLowerCase());
  return again ? { title: message, message: "" } : { title, message };
}

/** `4 s`, `3 min 20 s`, `2 h 5 min`. */
export function elapsed(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Whether more may come of an event stream: one that is closed (2) stays so. */
export function canCome(source: { readonly readyState: number }): boolean {
  return source.readyState !== 2;
}
