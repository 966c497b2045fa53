import assert from "node:assert/strict";
import { test } from "node:test";
import { readLines } from "../src/data/ndjson.ts";

function stream(...chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("lines come in pieces and several at once, a character in two halves too", async () => {
  const text = bytes('{"a":"ü𝛼"}\n{"b":2}\n\n{"c":3}');
  for (let cut = 0; cut <= text.length; cut += 1) {
    const told: unknown[] = [];
    await readLines(stream(text.slice(0, cut), text.slice(cut)), (value) => told.push(value));
    assert.deepEqual(told, [{ a: "ü𝛼" }, { b: 2 }, { c: 3 }]);
  }
});

test("each line is told when it is there, not when all are", async () => {
  const told: unknown[] = [];
  let more: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({ start: (controller) => void (more = controller) });
  const reading = readLines(body, (value) => told.push(value));
  more?.enqueue(bytes("1\n2"));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(told, [1]);
  more?.close();
  await reading;
  assert.deepEqual(told, [1, 2]);
});

test("half a line at the end is an error, and the stream is let go of", async () => {
  const half = readLines(stream(bytes('{"a":1}\n{"b"')), () => undefined);
  await assert.rejects(half, { message: "The answer broke off in the middle.", reason: "unreachable" });
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(bytes("1\nx\n")),
    cancel: () => void (cancelled = true),
  });
  // What a browser says about JSON is no word for people.
  await assert.rejects(readLines(body, () => undefined), { name: "Error", message: /not one that this page reads/ });
  assert.ok(cancelled);
});

test("a connection that is lost is told as that, a search that is given up stays one", async () => {
  const lost = (error: unknown): ReadableStream<Uint8Array> => new ReadableStream({ start: (controller) => controller.error(error) });
  const read = (error: unknown): Promise<void> => readLines(lost(error), () => undefined);
  await assert.rejects(read(new TypeError("network error")), { reason: "unreachable", message: /broke off/ });
  await assert.rejects(read(new DOMException("gone", "AbortError")), { name: "AbortError" });
});
