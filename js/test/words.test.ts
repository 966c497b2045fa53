import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, day, duration, memory, startWords } from "../src/lib/words.ts";

const now = Date.parse("2026-03-10T12:00:00");
const at = (text: string): number => Date.parse(text) / 1000;

test("bytes", () => {
  assert.deepEqual([0, 999, 1000, 12_340_000, 99_960_000_000, 999_600_000].map(bytes), [
    "0 B", "999 B", "1.0 kB", "12.3 MB", "100 GB", "1.0 GB",
  ]);
});

test("memory and time limits read as in the form", () => {
  assert.deepEqual([800, 2048, 8000].map(memory), ["800 MiB", "2 GiB", "7.81 GiB"]);
  assert.deepEqual([0, 30, 480, 90, 4560].map(duration), ["0 min", "30 min", "8 h", "1 h 30 min", "3 d 4 h"]);
});

test("a start is a range, in words", () => {
  assert.equal(startWords(null, now), "not known");
  assert.equal(startWords({ earliest: null, latest: null }, now), "not known");
  assert.equal(startWords({ earliest: now / 1000, latest: now / 1000 + 5 }, now), "within a minute");
  // That nothing stands against it now says nothing of the jobs that wait before it.
  assert.equal(startWords({ earliest: now / 1000, latest: null }, now), "not known");
  const soon = { earliest: now / 1000, latest: at("2026-03-10T12:40:00") };
  assert.equal(startWords(soon, now), "between now and 12:40");
  const later = { earliest: at("2026-03-10T14:05:00"), latest: "2026-03-11T08:00:00" };
  assert.equal(startWords(later, now), "between 14:05 and Wed 11 Mar, 08:00");
  assert.equal(startWords({ earliest: at("2026-03-10T14:05:00"), latest: null }, now), "from 14:05 on");
});

test("what is no date stays as it is", () => {
  assert.equal(day("2026-03-10T12:00:00"), "10 Mar 2026");
  assert.equal(day("last year"), "last year");
  assert.equal(day(null), "");
});
