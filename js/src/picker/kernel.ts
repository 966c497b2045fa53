// Datasets from the kernel: each question and its answers are messages of the widget.
import type { DataSource } from "../data/source.ts";
import { DataError, refusal } from "../data/source.ts";
import type { Completions, Dataset, Facets, FilePage, Ref, Related, SearchEvent, SearchRequest } from "../data/types.ts";

/** As much of anywidget's model as is used here. */
export interface Channel {
  send(content: unknown): void;
  on(event: "msg:custom", heard: (content: unknown, buffers: DataView[]) => void): void;
  off(event: "msg:custom", heard: (content: unknown, buffers: DataView[]) => void): void;
}

/** A kernel that can says at once that it has heard; a busy one, or none, says nothing. */
export const SILENCE_MS = 15_000;

/** What the kernel says about question `id`; `done` with the last word. */
interface Said {
  id: string;
  heard?: boolean;
  event?: SearchEvent;
  result?: unknown;
  error?: unknown;
  done?: boolean;
}

interface Waiting {
  timer: ReturnType<typeof setTimeout>;
  tell: (event: SearchEvent) => void;
  done: (result: unknown, buffers: DataView[]) => void;
  fail: (error: unknown) => void;
}

let asked = 0;
// Two views of one widget hear the same messages: each knows its own questions.
const mine = Math.random().toString(36).slice(2, 10);

export class KernelSource implements DataSource {
  private readonly channel: Channel;
  private readonly waiting = new Map<string, Waiting>();
  private readonly heard = (content: unknown, buffers: DataView[]): void => this.hear(content, buffers);

  constructor(channel: Channel) {
    this.channel = channel;
    channel.on("msg:custom", this.heard);
  }

  dispose(): void {
    this.channel.off("msg:custom", this.heard);
    for (const { fail } of this.waiting.values()) fail(new DOMException("gone", "AbortError"));
    this.waiting.clear();
  }

  async search(given: SearchRequest, tell: (event: SearchEvent) => void, signal: AbortSignal): Promise<void> {
    await this.ask("search", { ...given }, signal, tell);
  }

  facets(q: string, signal: AbortSignal): Promise<Facets> {
    return this.ask("facets", { q }, signal);
  }

  completions(q: string, at: number, signal: AbortSignal): Promise<Completions> {
    return this.ask("completions", { q, at }, signal);
  }

  dataset(ref: Ref, signal: AbortSignal): Promise<Dataset> {
    return this.ask("dataset", { ...ref }, signal);
  }

  files(ref: Ref, offset: number, limit: number, signal: AbortSignal): Promise<FilePage> {
    return this.ask("files", { ...ref, offset, limit }, signal);
  }

  related(ref: Ref, signal: AbortSignal): Promise<Related> {
    return this.ask("related", { ...ref }, signal);
  }

  async thumbnail(ref: Ref, signal: AbortSignal): Promise<Blob | null> {
    const { media_type: type, buffers } = await this.ask<{ media_type?: string; buffers?: DataView[] }>("thumbnail", { ...ref }, signal);
    const [picture] = buffers ?? [];
    return picture && type ? new Blob([picture as DataView<ArrayBuffer>], { type }) : null;
  }

  private ask<T>(method: string, params: Record<string, unknown>, signal: AbortSignal, tell: Waiting["tell"] = () => undefined): Promise<T> {
    const id = `${mine}-${++asked}`;
    return new Promise<T>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.waiting.delete(id);
        signal.removeEventListener("abort", abort);
      };
      const abort = (): void => {
        end();
        this.channel.send({ id, method: "cancel" });
        reject(signal.reason as Error);
      };
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      // A page that was exported, or a notebook opened again, has the widget without its kernel.
      const silent = (): void => {
        end();
        this.channel.send({ id, method: "cancel" });
        reject(new DataError("It is busy with a cell, or not running.", "no-kernel", "If it is not running, run the cell of this widget again."));
      };
      const timer = setTimeout(silent, SILENCE_MS);
      signal.addEventListener("abort", abort);
      this.waiting.set(id, {
        timer,
        tell,
        done: (result, buffers) => {
          end();
          resolve((buffers.length ? { ...(result as object), buffers } : result) as T);
        },
        fail: (error) => {
          end();
          reject(error as Error);
        },
      });
      this.channel.send({ id, method, params });
    });
  }

  private hear(content: unknown, buffers: DataView[]): void {
    const said = content as Said;
    const waiting = this.waiting.get(said?.id);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    if (said.event) waiting.tell(said.event);
    if (said.error !== undefined) waiting.fail(refusal(said.error) ?? new DataError("The kernel could not answer."));
    else if (said.done) waiting.done(said.result, buffers);
  }
}
