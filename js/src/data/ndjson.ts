// Reads a stream of JSON lines. A line may come in pieces, and several in one piece.
import { DataError } from "./source.ts";

/** What is said where the stream ends before its last word. */
export function brokeOff(): DataError {
  return new DataError("The answer broke off in the middle.", "unreachable");
}

/** Tells each line's value. Half a line at the end, or a connection that is lost, is `brokeOff`. */
export async function readLines<T>(body: ReadableStream<Uint8Array>, tell: (value: T) => void): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await next(reader);
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.trim()) tell(parsed<T>(line, "The server's answer is not one that this page reads."));
      if (done) break;
    }
    if (rest.trim()) tell(parsed<T>(rest));
  } finally {
    // Whoever stops in the middle leaves no connection behind.
    await reader.cancel().catch(() => undefined);
  }
}

async function next(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw brokeOff();
  }
}

/** The line's value; of the last line, which nothing ends, half may be missing. */
function parsed<T>(line: string, otherwise?: string): T {
  try {
    return JSON.parse(line) as T;
  } catch {
    throw otherwise === undefined ? brokeOff() : new DataError(otherwise);
  }
}
