import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { SearchEvent } from "../src/data/types.ts";
import type { Channel } from "../src/picker/kernel.ts";
import { KernelSource, SILENCE_MS } from "../src/picker/kernel.ts";

interface Question {
  id: string;
  method: string;
}

/** A kernel that says what it is told to. */
function kernel(): { source: KernelSource; asked: Question[]; say: (content: unknown) => void } {
  const asked: Question[] = [];
  let say: (content: unknown) => void = () => undefined;
  const channel: Channel = {
    send: (content) => void asked.push(content as Question),
    on: (_, heard) => (say = (content) => heard(content, [])),
    off: () => (say = () => undefined),
  };
  const source = new KernelSource(channel);
  return { source, asked, say: (content) => say(content) };
}

const nothing = new AbortController().signal;
const search = { q: "", order: "newest", limit: 5, cursor: null } as const;

test("a kernel that says nothing is told, one that has heard may take its time", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { source, asked, say } = kernel();
    const silent = source.search(search, () => undefined, nothing);
    mock.timers.tick(SILENCE_MS);
    await assert.rejects(silent, { reason: "no-kernel" });
    assert.deepEqual(asked.map((one) => one.method), ["search", "cancel"]);

    const told: SearchEvent[] = [];
    const slow = source.search(search, (event) => told.push(event), nothing);
    const id = asked[2]?.id;
    say({ id, heard: true });
    mock.timers.tick(10 * SILENCE_MS);
    say({ id, event: { event: "end", total: 0 } });
    say({ id, done: true, result: null });
    await slow;
    assert.equal(told.length, 1);
  } finally {
    mock.timers.reset();
  }
});

test("what was given up, and what another view asked, is not heard", async () => {
  const { source, asked, say } = kernel();
  const giving = new AbortController();
  const search1 = source.search(search, () => assert.fail("it was given up"), giving.signal);
  giving.abort();
  await assert.rejects(search1, { name: "AbortError" });
  say({ id: asked[0]?.id, event: { event: "end", total: 0 } });
  const gone = source.facets("", nothing);
  say({ id: "of-another-view", done: true, result: 1 });
  source.dispose();
  await assert.rejects(gone, { name: "AbortError" });
});
