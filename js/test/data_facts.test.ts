import assert from "node:assert/strict";
import { test } from "node:test";
import { canBePictured, facts, moment, rightsWords, sourceWords, totalWords, valueWords } from "../src/data/facts.ts";
import { english } from "../src/data/trans.ts";
import type { Dataset } from "../src/data/types.ts";

const NOW = Date.parse("2026-11-21T12:00:00Z");

test("who may see it", () => {
  const rights = (access: object): string => rightsWords(access, NOW, english);
  assert.equal(rights({ public: true }), "public");
  assert.equal(rights({ owner: "alice", owner_group: "sc1", access_groups: ["sc1", "staff"] }), "owner alice; members of sc1, staff");
  assert.equal(rights({ public: true, embargo_until: "2026-11-21T11:59:00" }), "public");
  assert.equal(rights({ public: true, owner: "bob", embargo_until: "2027-01-01" }), "public from 1 Jan 2027 on; owner bob");
  assert.equal(rights({}), "not said");
});

test("a time is shown as the file has it, in whatever zone the reader is", () => {
  assert.equal(moment("2024-03-12T23:05:00+02:00"), "12 Mar 2024, 23:05");
  assert.equal(moment("2024-03-12T23:05:00"), "12 Mar 2024, 23:05");
  assert.equal(moment("2024-03-12"), "12 Mar 2024");
  assert.equal(moment("last night"), "last night");
});

test("what nobody said has no row", () => {
  const bare: Dataset = { pid: "a/b", type: "raw", title: null, techniques: [], size: 0, instrument: null };
  assert.deepEqual(facts(bare, NOW, english), [["PID", "a/b"]]);
});

test("of many names the first are shown", () => {
  const creators = (count: number): string => {
    const names = Array.from({ length: count }, (_, at) => `P${at}`);
    const dataset: Dataset = { pid: "p", type: "raw", title: "t", techniques: [], size: 0, creators: names };
    return facts(dataset, NOW, english).find(([name]) => name === "By")?.[1] ?? "";
  };
  assert.equal(creators(2), "P0; P1");
  assert.match(creators(11), /P9; P10$/);
  assert.match(creators(200), /^P0; .*P9; and 190 more$/);
});

test("counts and values", () => {
  assert.equal(totalWords(1, true, english), "1 dataset");
  assert.equal(totalWords(10_000, false, english), "10,000+ datasets");
  assert.equal(totalWords(1, false, english), "1+ datasets");
  assert.equal(totalWords(1234, true, english), "1,234 datasets");
  assert.equal(valueWords({ value: 12.0000001, unit: "keV" }), "12 keV");
  assert.equal(valueWords([1, 2]), "[1,2]");
  assert.equal(valueWords("x".repeat(999)).length, 201);
  assert.equal(valueWords({ a: "x".repeat(999) }).length, 201);
});

test("a source that did not answer is named", () => {
  assert.equal(sourceWords({ source: "ICAT", state: "timeout", message: "no answer in 3 s" }, english), "ICAT: no answer in 3 s");
  assert.equal(sourceWords({ source: "ICAT", state: "failed", message: "ICAT: not accepted" }, english), "ICAT: not accepted");
  assert.equal(sourceWords({ source: "ICAT", state: "failed" }, english), "ICAT: it failed");
  assert.equal(sourceWords({ source: "ICAT", state: "answered" }, english), "");
});

test("a picture is asked for where there is a signal and its bytes are here", () => {
  const dataset: Dataset = { pid: "p", type: "raw", title: "t", techniques: [], size: 1, arrays: [{ signal: false }, { signal: true }] };
  assert.equal(canBePictured(dataset), true);
  assert.equal(canBePictured({ ...dataset, availability: "tape" }), false);
  assert.equal(canBePictured({ ...dataset, availability: "remote" }), false);
  assert.equal(canBePictured({ ...dataset, arrays: [{}] }), false);
});
