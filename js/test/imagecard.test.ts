import assert from "node:assert/strict";
import { test } from "node:test";
import { isLooking } from "../src/spawn/imagecard.ts";
import { fingerprint, linesOf, verdictOf } from "../src/spawn/imagewords.ts";
import type { Card } from "../src/spawn/types.ts";

const card: Card = {
  kernels: ["python3", "julia"], techniques: [], default_url: "", python: "3.12.1", nearfield: "",
  lacks: ["widgets"], digest: "", verdict: "", signers: [],
};

test("the card has a line for all that is known, and none for the rest", () => {
  assert.deepEqual(linesOf(card).map(({ name, value }) => [name, value]), [
    ["Python", "3.12.1"], ["Kernels", "python3, julia"], ["Without", "widgets"],
  ]);
  const known = { ...card, digest: "ab12", signers: ["260788aa10cc592d27c7945f940243dc42cbb9cc"] };
  assert.deepEqual(linesOf(known).filter((line) => line.code).map((line) => line.value), [
    "2607 88AA 10CC 592D 27C7 945F 9402 43DC 42CB B9CC", "sha256:ab12",
  ]);
});

test("a digest or a signer of another shape is shown as it is", () => {
  assert.equal(linesOf({ ...card, digest: "sha256:ab12" }).at(-1)?.value, "sha256:ab12");
  assert.equal(fingerprint("Site <images@example.org>"), "Site <images@example.org>");
});

test("only a verified signature looks good, and what was tampered with looks bad", () => {
  const tone = (verdict: string): string => verdictOf({ verdict }).tone;
  assert.deepEqual(["verified", "unchecked", "unseen", ""].map(tone), ["good", "quiet", "quiet", "quiet"]);
  const bad = ["unsigned", "tampered", "unknown-signer", "not-allowed", "not-an-image", "keyring", "undecided"];
  assert.deepEqual([...new Set(bad.map(tone))], ["bad"]);
  assert.deepEqual(verdictOf({ verdict: "of-tomorrow" }), { text: "of-tomorrow", tone: "quiet" });
});

test("the hub is asked again only while it looks at an image", () => {
  const of = (given: Card | null) => isLooking({
    profiles: [{ name: "p", techniques: [], environment: { name: "e", title: "E", description: "", card: given } }],
  });
  assert.deepEqual([of(null), of(card), of({ ...card, verdict: "unseen" })], [false, true, false]);
});
