// The hub's API as the person who looks at the page: the hub's cookie, and its XSRF token.

declare global {
  interface Window {
    jhdata?: { base_url?: string; user?: string; xsrf_token?: string };
    _jupyterhub_page_loaded?: boolean;
  }
}

/** The hub said no, or nothing at all (status 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly hint: string;
  /** Of a search that cannot be understood: the character where. */
  readonly position: number | null;
  constructor(status: number, message: string, hint = "", position: number | null = null) {
    super(message);
    this.status = status;
    this.hint = hint;
    this.position = position;
  }
}

/** What a failed answer says, in words; its body may be anything. */
export function errorOf(status: number, body: unknown): ApiError {
  const given = (body ?? {}) as { message?: unknown; hint?: unknown; position?: unknown };
  const hint = typeof given.hint === "string" ? given.hint : "";
  if (status === 403 && /xsrf|login|logged/i.test(String(given.message ?? "")))
    return new ApiError(status, "You are not logged in any more. Please reload this page.");
  const position = typeof given.position === "number" ? given.position : null;
  if (typeof given.message === "string" && given.message)
    return new ApiError(status, given.message, hint, position);
  return new ApiError(status, `the hub answered ${status}`);
}

/** A path with more said in its query; what is empty is not said. */
export function withQuery(path: string, more: Record<string, string>): string {
  const said = Object.entries(more).filter(([, value]) => value !== "");
  if (!said.length) return path;
  return `${path}${path.includes("?") ? "&" : "?"}${new URLSearchParams(said)}`;
}

export class Api {
  private readonly base: string;
  private readonly token: string;
  private readonly send: typeof fetch;
  /** Said with every request: for whom it is asked, if not for who asks. */
  private readonly always: Record<string, string>;

  constructor(
    hub: string,
    token: string,
    always: Record<string, string> = {},
    send: typeof fetch = fetch.bind(globalThis),
  ) {
    this.base = `${hub}api/`;
    this.token = token;
    this.always = always;
    this.send = send;
  }

  get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.call<T>("GET", path, undefined, signal);
  }

  post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    return this.call<T>("POST", path, body, signal);
  }

  async call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const headers: Record<string, string> = { Accept: "application/json", "X-XSRFToken": this.token };
    const request: RequestInit = { method, headers, credentials: "same-origin" };
    if (signal) request.signal = signal;
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      request.body = JSON.stringify(body);
    }
    let answer: Response;
    try {
      answer = await this.send(this.base + withQuery(path, this.always), request);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError(0, "the hub does not answer");
    }
    const text = await answer.text();
    let data: unknown = null;
    try {
      data = text ? JSON.parse(text) : null;
    } catch {
      if (answer.ok) throw new ApiError(answer.status, "the hub's answer is not JSON");
    }
    if (!answer.ok) throw errorOf(answer.status, data);
    return data as T;
  }
}
