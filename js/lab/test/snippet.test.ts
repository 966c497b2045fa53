import assert from "node:assert/strict";
import { test } from "node:test";
import { basicSnippet, pythonText } from "../src/snippet.ts";

test("a PID is a Python text and nothing else, whatever is in it", () => {
  assert.equal(pythonText('a"b\\c\n'), '"a\\"b\\\\c\\n"');
  assert.equal(pythonText("ü\u2028"), '"ü\\u2028"'.replace("ü", "\\u00fc"));
  assert.equal(basicSnippet('x")#').split("\n")[2], 'ds = nearfield.dataset("x\\")#")');
});
