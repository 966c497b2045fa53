import assert from "node:assert/strict";
import { test } from "node:test";
import { around, condition, has, pieces, points, toggled, units, wordsOf } from "../src/data/text.ts";

test("a place is counted in characters as Python counts them", () => {
  const text = "𝛼 energy";
  assert.equal(units(text, 1), 2);
  assert.equal(points(text, 2), 1);
  assert.deepEqual(around(text, 2), ["𝛼 ", "e", "nergy"]);
  assert.deepEqual(around("a𝛼b", 1), ["a", "𝛼", "b"]);
});

test("an error at the end has something to point at", () => {
  assert.deepEqual(around("energy>", 7), ["energy>", "␣", ""]);
  assert.deepEqual(around("abc", 99), ["abc", "␣", ""]);
});

test("a value that is more than a word is quoted", () => {
  assert.equal(condition("instrument", "ID10"), "instrument:=ID10");
  assert.equal(condition("sample", "silver behenate"), 'sample:="silver behenate"');
  assert.equal(condition("sample", 'a "b" \\c'), 'sample:=“a "b" \\c”');
  assert.equal(condition("sample", "a,b"), 'sample:="a,b"');
  assert.equal(condition("technique", "SAXS/WAXS"), "technique:SAXS/WAXS");
});

test("a condition is put on and taken off, and nothing else is touched", () => {
  const on = toggled("lysozyme  energy>8keV", "sample", "silver behenate");
  assert.equal(on, 'lysozyme  energy>8keV sample:="silver behenate"');
  assert.ok(has(on, "sample", "Silver Behenate"));
  assert.equal(toggled(on, "sample", "silver behenate"), "lysozyme energy>8keV");
  assert.equal(toggled('Instrument:"ID10"', "instrument", "ID10"), "");
  assert.equal(toggled('"instrument:ID10"', "instrument", "ID10"), '"instrument:ID10" instrument:=ID10');
  assert.equal(toggled('a instrument:ID10,"I 22",P03 b', "instrument", "i 22"), "a instrument:ID10,P03 b");
  assert.equal(toggled('instrument:="ID 10",=P03,"=x y"', "instrument", "P03"), 'instrument:="ID 10","=x y"');
  assert.equal(toggled('instrument:="ID 10",=P03,"=x y"', "instrument", "x y"), 'instrument:="ID 10",=P03');
  assert.equal(toggled("type:raw a", "type", "derived"), "a type:derived", "only one of them can hold");
  assert.equal(toggled('sample:“a "b"”', "sample", 'a "b"'), "");
  assert.equal(has("instrument:ID101", "instrument", "ID10"), false);
});

test("words to mark are what is searched as text", () => {
  assert.deepEqual(wordsOf('technique:saxs energy>8keV silver "lysozyme in water" -'), ["silver", "lysozyme in water"]);
  assert.deepEqual(wordsOf('"not closed'), ["not closed"]);
});

test("the beginnings of words are marked, text stays text", () => {
  assert.deepEqual(pieces("Silver <b>quicksilver</b> SILVERY", ["silver"]), [
    { text: "Silver", hit: true },
    { text: " <b>quicksilver</b> ", hit: false },
    { text: "SILVER", hit: true },
    { text: "Y", hit: false },
  ]);
  assert.deepEqual(pieces("a+b (c", ["a+b", "(c"]).map((piece) => piece.text).join(""), "a+b (c");
  assert.deepEqual(pieces("silver behenate", ["silver", "silver behenate"]), [{ text: "silver behenate", hit: true }]);
  assert.deepEqual(pieces("", ["a"]), [{ text: "", hit: false }]);
});
