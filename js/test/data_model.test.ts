import assert from "node:assert/strict";
import { test } from "node:test";
import type { Card, Change } from "../src/data/model.ts";
import { DataModel } from "../src/data/model.ts";
import type { DataSource } from "../src/data/source.ts";
import { DataError } from "../src/data/source.ts";
import type { Dataset, SearchEvent, SearchRequest, Summary } from "../src/data/types.ts";

function summary(pid: string, source = "home"): Summary {
  const nothing = { instrument: null, created: null, storage: null };
  return { pid, type: "raw", title: pid, techniques: [], size: 1, files: 1, source, ...nothing };
}

interface Running {
  asked: SearchRequest;
  tell: (event: SearchEvent) => void;
  end: () => void;
  fail: (error: unknown) => void;
  signal: AbortSignal;
}

/** A source that answers when it is told to. */
function byHand(): { model: DataModel; running: Running[]; changes: Change[]; counted: string[] } {
  const running: Running[] = [];
  const counted: string[] = [];
  const source = {
    search: (asked: SearchRequest, tell: Running["tell"], signal: AbortSignal) =>
      new Promise<void>((end, fail) => running.push({ asked, tell, end, fail, signal })),
    facets: (q: string) => {
      counted.push(q);
      return Promise.resolve({ counts: {} });
    },
    dataset: (ref: { pid: string }) =>
      ref.pid === "gone" ? Promise.reject(new DataError("no", "not-found")) : Promise.resolve({ pid: ref.pid } as Dataset),
  } as unknown as DataSource;
  const model = new DataModel(source);
  const changes: Change[] = [];
  model.follow((change) => changes.push(change));
  return { model, running, changes, counted };
}

function nth(running: Running[], at: number): Running {
  const found = running[at];
  assert.ok(found, `there is no search ${at}`);
  return found;
}

const page = (...pids: string[]): SearchEvent => ({ event: "datasets", source: "home", datasets: pids.map((pid) => summary(pid)) });
const end = (total: number, next: string | null = null): SearchEvent => ({ event: "end", total, total_exact: true, next });
const pids = (model: DataModel): string[] => model.found.map((one) => one.pid);

test("results are there as they come, and a newer search takes the place of the older", async () => {
  const { model, running } = byHand();
  const first = model.search("silver");
  nth(running, 0).tell(page("a"));
  assert.deepEqual(pids(model), ["a"]);
  assert.ok(model.busy);
  const second = model.search("gold");
  assert.ok(nth(running, 0).signal.aborted);
  nth(running, 0).tell(page("late"));
  nth(running, 0).fail(new Error("aborted"));
  assert.deepEqual(pids(model), ["a"], "what was found stays until there is something new");
  nth(running, 1).tell(page("b"));
  assert.deepEqual(pids(model), ["b"]);
  nth(running, 1).tell(end(1));
  nth(running, 1).end();
  await Promise.all([first, second]);
  assert.deepEqual([model.busy, model.total, model.failure, model.query], [false, 1, null, "gold"]);
});

test("further pages are added by the cursor, none twice, and no two at once", async () => {
  const { model, running } = byHand();
  const first = model.search("");
  nth(running, 0).tell(page("a", "b"));
  nth(running, 0).tell(end(3, "after-b"));
  nth(running, 0).end();
  await first;
  const more = model.more();
  await model.more();
  assert.equal(running.length, 2);
  assert.equal(nth(running, 1).asked.cursor, "after-b");
  nth(running, 1).tell(page("b", "c"));
  nth(running, 1).tell(end(3));
  nth(running, 1).end();
  await more;
  assert.deepEqual(pids(model), ["a", "b", "c"]);
  await model.more();
  assert.equal(running.length, 2, "after the last page there is none");
});

test("each source's state is known by its name; a dataset in two is told once", async () => {
  const { model, running } = byHand();
  const search = model.search("x");
  const { tell } = nth(running, 0);
  tell({ event: "source", source: "ICAT", state: "asking" });
  tell(page("a"));
  tell({ event: "also", pid: "a", source: "SciCat" });
  tell({ event: "source", source: "ICAT", state: "timeout", message: "no answer in 3 s" });
  tell(end(1));
  nth(running, 0).end();
  await search;
  assert.equal(model.sources.get("ICAT")?.message, "no answer in 3 s");
  assert.deepEqual(model.sourcesOf(model.found[0] as Summary), ["home", "SciCat"]);
});

test("a mistake in typing keeps the results; a server that is gone takes them away", async () => {
  const { model, running } = byHand();
  const first = model.search("a");
  nth(running, 0).tell(page("a"));
  nth(running, 0).tell(end(1));
  nth(running, 0).end();
  await first;
  const second = model.search("a(");
  nth(running, 1).fail(new DataError("A bracket is open.", "syntax", "", 1));
  await second;
  assert.equal(model.failure?.position, 1);
  assert.deepEqual(pids(model), ["a"]);
  const third = model.search("a");
  nth(running, 2).fail(new TypeError("fetch failed"));
  await third;
  assert.deepEqual(pids(model), []);
  assert.equal(model.failure?.message, "fetch failed");
});

test("an answer that breaks off is no answer", async () => {
  const { model, running } = byHand();
  const search = model.search("a");
  nth(running, 0).tell(page("a"));
  nth(running, 0).end();
  await search;
  assert.equal(model.failure?.reason, "unreachable");
});

test("a setting that changes counts at once, and only where something is shown", async () => {
  const { model, running, counted, changes } = byHand();
  model.use({ limit: 20, order: "relevance", facets: true });
  assert.deepEqual([running.length, counted.length], [0, 0]);
  const search = model.search("a");
  assert.deepEqual([nth(running, 0).asked.limit, nth(running, 0).asked.order, counted], [20, "relevance", ["a"]]);
  nth(running, 0).tell(end(0));
  nth(running, 0).end();
  await search;
  changes.length = 0;
  model.use({ facets: false });
  assert.deepEqual([model.facetsWanted, changes], [false, ["facets"]]);
  model.use({ limit: 30 });
  assert.equal(running.length, 1, "the next page is longer, this one stays");
  model.use({ order: "newest" });
  assert.deepEqual([nth(running, 1).asked.order, nth(running, 1).asked.limit], ["newest", 30]);
});

test("counts are asked for where they are shown, once for each search", async () => {
  const { model, running, counted } = byHand();
  void model.search("a");
  assert.deepEqual(counted, []);
  model.showFacets(true);
  model.showFacets(true);
  void model.search("b");
  void model.again();
  assert.deepEqual(counted, ["a", "b", "b"]);
  model.dispose();
  assert.ok(running.every(({ signal }, at) => signal.aborted || at < running.length - 1));
});

test("a condition of the facets is a part of the search", () => {
  const { model, running } = byHand();
  void model.search("silver");
  void model.toggle("instrument", "ID10");
  assert.equal(nth(running, 1).asked.q, "silver instrument:=ID10");
  void model.toggle("instrument", "ID10");
  assert.equal(model.query, "silver");
});

test("a card that was left before its dataset came stays closed", async () => {
  const { model, changes } = byHand();
  const opening = model.open({ pid: "a", source: null });
  void model.open(null);
  await opening;
  const card = (): Card | null => model.card;
  assert.equal(card(), null);
  await model.open({ pid: "gone", source: null });
  assert.equal(card()?.failure?.reason, "not-found");
  assert.deepEqual(changes, ["card", "card", "card", "card"]);
});

test("what may have been meant is there with an empty answer, and gone with the next", async () => {
  const { model, running } = byHand();
  const near = [{ field: "instrument", value: "ID1O", near: [{ value: "ID10", query: "instrument:=ID10" }] }];
  void model.search("instrument:ID1O");
  nth(running, 0).tell({ event: "end", total: 0, near });
  assert.deepEqual(model.near, near);
  void model.search("instrument:=ID10");
  nth(running, 1).tell(page("a"));
  assert.deepEqual(model.near, []);
});
