import assert from "node:assert/strict";
import { test } from "node:test";
import { DataError } from "../../src/data/source.ts";
import type { SearchEvent } from "../../src/data/types.ts";
import { RestSource, address, refused } from "../src/rest.ts";

const ASKED = { q: "technique:saxs a&b", order: "newest", limit: 50, cursor: null } as const;
const never = new AbortController().signal;

function answering(body: string, status = 200, kind = "application/x-ndjson"): { source: RestSource; sent: string[] } {
  const sent: string[] = [];
  const source = new RestSource((path) => {
    sent.push(path);
    return Promise.resolve(new Response(body, { status, headers: { "Content-Type": kind } }));
  });
  return { source, sent };
}

async function failure(work: Promise<unknown>): Promise<DataError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof DataError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "it did not fail" });
}

test("a search is asked for as lines, and each is told", async () => {
  const { source, sent } = answering('{"event":"end","total":0}\n');
  const told: SearchEvent[] = [];
  await source.search(ASKED, (event) => told.push(event), never);
  assert.deepEqual(sent, ["datasets?q=technique%3Asaxs+a%26b&limit=50"]);
  assert.deepEqual(told, [{ event: "end", total: 0 }]);
});

test("a PID is one segment, whatever is in it", async () => {
  const { source, sent } = answering("{}", 200, "application/json");
  const ref = { pid: "20.500/a?b#c%20d", source: "my cat" };
  await source.dataset(ref, never);
  await source.files(ref, 20, 10, never);
  await source.related({ ...ref, source: null }, never);
  const pid = "datasets/20.500%2Fa%3Fb%23c%2520d";
  assert.deepEqual(sent, [`${pid}?source=my+cat`, `${pid}/files?source=my+cat&offset=20&limit=10`, `${pid}/related`]);
  assert.equal(address("x", { a: "", b: null }), "x");
});

test("each kind of refusal is told apart", async () => {
  const said = { message: "A bracket is open.", hint: "Close it.", reason: "syntax", position: 3 };
  const syntax = await failure(answering(JSON.stringify(said), 400).source.search(ASKED, () => undefined, never));
  assert.deepEqual([syntax.reason, syntax.position, syntax.hint], ["syntax", 3, "Close it."]);
  const missing = await failure(answering("<html>404</html>", 404, "text/html").source.search(ASKED, () => undefined, never));
  assert.equal(missing.reason, "missing");
  // What answers with a page and no error is not our extension either.
  const page = await failure(answering("<html>", 200, "text/html").source.search(ASKED, () => undefined, never));
  assert.equal(page.reason, "missing");
  assert.equal(refused(403, { message: "Forbidden" }, true).reason, "token-expired");
  assert.equal(refused(403, { message: "Not yours", reason: "forbidden" }, true).reason, "forbidden");
  assert.equal(refused(503, null, true).reason, "unavailable");
  assert.equal(refused(500, { message: "It broke" }, true).message, "It broke");
  assert.equal(refused(404, { message: "No such dataset", reason: "not-found" }, false).reason, "not-found");
});

test("no thumbnail is no error", async () => {
  const none = answering('{"message":"none","reason":"not-found"}', 404, "application/json");
  assert.equal(await none.source.thumbnail({ pid: "a", source: null }, never), null);
});

test("a server that is gone is told as that; who gave up hears nothing of it", async () => {
  const gone = new RestSource(() => Promise.reject(new TypeError("fetch failed")));
  assert.equal((await failure(gone.facets("", never))).reason, "unreachable");
  await assert.rejects(gone.facets("", AbortSignal.abort()), TypeError);
});
