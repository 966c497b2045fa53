import assert from "node:assert/strict";
import { test } from "node:test";
import { around, silent } from "../src/spawn/searchwords.ts";

test("the character that is not understood is marked, with what is around it", () => {
  assert.deepEqual(around("film technque:saxs", 5), ["film ", "t", "echnque:saxs"]);
  assert.deepEqual(around("technique:", 10), ["technique:", "␣", ""]);
  assert.deepEqual(around("", 99), ["", "␣", ""]);
});

test("positions count characters, not halves of them", () => {
  assert.deepEqual(around("😀😀 x:y", 3), ["😀😀 ", "x", ":y"]);
});

test("a long search is cut on both sides", () => {
  const [before, here, after] = around("a".repeat(50) + "!" + "b".repeat(50), 50);
  assert.equal(before, "…" + "a".repeat(20));
  assert.equal(here, "!");
  assert.equal(after, "b".repeat(20) + "…");
});

test("catalogues that did not answer are named with the reason", () => {
  const answered = { source: "home", state: "answered", message: null };
  assert.equal(silent(undefined), "");
  assert.equal(silent([answered]), "");
  const hung = { source: "icat", state: "timeout", message: "no answer in 3 s" };
  assert.equal(silent([answered, hung]), "icat: no answer in 3 s");
});
