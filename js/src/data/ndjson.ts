// Reads a stream of JSON lines. A line may come in pieces, and several in one piece.

/** Tells each line's value; half a line at the end is an error. */
export async function readLines<T>(body: ReadableStream<Uint8Array>, tell: (value: T) => void): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  const line = (text: string): void => {
    if (text.trim()) tell(JSON.parse(text) as T);
  };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      lines.forEach(line);
      if (done) break;
    }
    line(rest);
  } finally {
    // Whoever stops in the middle leaves no connection behind.
    await reader.cancel().catch(() => undefined);
  }
}
