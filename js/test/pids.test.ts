import assert from "node:assert/strict";
import { test } from "node:test";
import { pidsIn } from "../src/spawn/pids.ts";

const UUID = "6f1d7f0a-6c0b-5c57-9d2f-0d6f5d1c8a11";

test("UUIDs and DOIs are PIDs, one or many, each once", () => {
  assert.deepEqual(pidsIn(UUID), [UUID]);
  assert.deepEqual(pidsIn(` 20.500.12345/abc-1,\n${UUID}\n${UUID} `), ["20.500.12345/abc-1", UUID]);
});

test("words to search are not", () => {
  for (const text of ["", "detector stack", "SAXS", `about ${UUID}`, "2026-01", "0123456789", "überlang-1-2-3"])
    assert.deepEqual(pidsIn(text), [], text);
});
