// Datasets from the server extension, as the person who is logged in to this Jupyter server.
import { readLines } from "../../src/data/ndjson.ts";
import type { DataSource } from "../../src/data/source.ts";
import { DataError, refusal } from "../../src/data/source.ts";
import type { Completions, Dataset, Facets, FilePage, Ref, Related, SearchEvent, SearchRequest } from "../../src/data/types.ts";

/** Sends a request below `nearfield/api/`; JupyterLab adds base URL, cookie and XSRF token. */
export type Send = (path: string, init: RequestInit) => Promise<Response>;

type Given = Record<string, string | number | null | undefined>;

/** `path?name=value`; what is not given is not said. */
export function address(path: string, given: Given): string {
  const said = Object.entries(given).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(said.map(([name, value]) => [name, String(value)]));
  return said.length ? `${path}?${query}` : path;
}

/** A PID is one segment of the path, whatever is in it. */
function one(ref: Ref, part = ""): string {
  return address(`datasets/${encodeURIComponent(ref.pid)}${part}`, { source: ref.source });
}

/** Why a request was refused, whoever refused it: our handlers, Jupyter, a hub, a proxy. */
export function refused(status: number, body: unknown, ofSearch: boolean): DataError {
  const ours = refusal(body);
  if (ours?.reason) return ours;
  // Our handlers always name a reason for a dataset that is not there. Jupyter does not.
  if (status === 404 && ofSearch) return new DataError("Nobody answers at nearfield/api.", "missing");
  if (status === 401 || status === 403)
    return new DataError("This browser is not logged in to the server any more.", "token-expired", ours?.message ?? "");
  if (status === 502 || status === 503 || status === 504)
    return new DataError(ours?.message ?? `The answer was ${status}.`, "unavailable", ours?.hint ?? "");
  return ours ?? new DataError(`The server answered ${status}.`);
}

export class RestSource implements DataSource {
  private readonly send: Send;

  constructor(send: Send) {
    this.send = send;
  }

  async search(asked: SearchRequest, tell: (event: SearchEvent) => void, signal: AbortSignal): Promise<void> {
    const { q, limit, cursor } = asked;
    // The usual order goes without saying, so that `order:` in the text counts.
    const order = asked.order === "newest" ? null : asked.order;
    const answer = await this.get(address("datasets", { q, limit, cursor, order }), signal, "application/x-ndjson", true);
    const kind = answer.headers.get("Content-Type") ?? "";
    if (!kind.includes("ndjson") || !answer.body) throw new DataError("Nobody answers at nearfield/api.", "missing");
    await readLines(answer.body, tell);
  }

  facets(q: string, signal: AbortSignal): Promise<Facets> {
    return this.json(address("datasets/facets", { q }), signal);
  }

  completions(q: string, at: number, signal: AbortSignal): Promise<Completions> {
    return this.json(address("datasets/completions", { q, at }), signal);
  }

  dataset(ref: Ref, signal: AbortSignal): Promise<Dataset> {
    return this.json(one(ref), signal);
  }

  files(ref: Ref, offset: number, limit: number, signal: AbortSignal): Promise<FilePage> {
    const path = one(ref, "/files");
    return this.json(`${path}${path.includes("?") ? "&" : "?"}offset=${offset}&limit=${limit}`, signal);
  }

  related(ref: Ref, signal: AbortSignal): Promise<Related> {
    return this.json(one(ref, "/related"), signal);
  }

  async thumbnail(ref: Ref, signal: AbortSignal): Promise<Blob | null> {
    try {
      return await (await this.get(one(ref, "/thumbnail"), signal, "image/*")).blob();
    } catch (error) {
      if (error instanceof DataError && error.reason === "not-found") return null;
      throw error;
    }
  }

  private async json<T>(path: string, signal: AbortSignal): Promise<T> {
    const answer = await this.get(path, signal, "application/json");
    try {
      return (await answer.json()) as T;
    } catch (error) {
      if (signal.aborted) throw error;
      throw new DataError("The server's answer is not JSON.");
    }
  }

  private async get(path: string, signal: AbortSignal, accept: string, ofSearch = false): Promise<Response> {
    let answer: Response;
    try {
      // Unless told, JupyterLab puts the time into the address, and the server does not know that
      // parameter; the server itself says that nothing may be kept.
      answer = await this.send(path, { method: "GET", headers: { Accept: accept }, signal, cache: "default" });
    } catch (error) {
      if (signal.aborted) throw error;
      throw new DataError("The Jupyter server does not answer. Is the session still running?", "unreachable");
    }
    if (answer.ok) return answer;
    const body: unknown = await answer.json().catch(() => null);
    throw refused(answer.status, body, ofSearch);
  }
}
