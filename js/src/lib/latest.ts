// Requests that follow somebody who types: late enough to be few, and only the last one counts.

/** Runs `work` once nobody has asked for `delay` ms; a newer call aborts the one under way. */
export class Latest<A> {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private running: AbortController | undefined;
  private readonly work: (argument: A, signal: AbortSignal) => Promise<void>;
  private readonly delay: number;

  constructor(work: (argument: A, signal: AbortSignal) => Promise<void>, delay: number) {
    this.work = work;
    this.delay = delay;
  }

  ask(argument: A, delay = this.delay): void {
    this.cancel();
    this.timer = setTimeout(() => {
      const controller = new AbortController();
      this.running = controller;
      this.work(argument, controller.signal).catch((error: unknown) => {
        if (!controller.signal.aborted) throw error;
      });
    }, delay);
  }

  cancel(): void {
    clearTimeout(this.timer);
    this.running?.abort();
    this.running = undefined;
  }
}
