import assert from "node:assert/strict";
import { test } from "node:test";
import { byFit, fitOf, techniquesOf } from "../src/spawn/fit.ts";

test("an environment without techniques is for all", () => {
  assert.equal(fitOf([], [["tomography"]]), "any");
});

test("it has to be made for a technique of every dataset, however it is spelled", () => {
  assert.equal(fitOf(["Tomography"], [["tomography", "imaging"]]), "made");
  assert.equal(fitOf(["tomography"], [["tomography"], ["diffraction"]]), "part");
  assert.equal(fitOf(["tomography"], [["diffraction"]]), "other");
  assert.equal(fitOf(["tomography", "diffraction"], [["tomography"], ["diffraction"]]), "made");
});

test("a dataset that names no technique decides nothing", () => {
  assert.equal(fitOf(["tomography"], [[]]), "any");
  assert.equal(fitOf(["tomography"], [[], ["tomography"]]), "made");
});

test("those that fit come first, and none is lost", () => {
  const fits = { a: "other", b: "any", c: "made", d: "part", e: "made" } as const;
  const names = Object.keys(fits) as (keyof typeof fits)[];
  assert.deepEqual(byFit(names, (name) => fits[name]), ["c", "e", "b", "d", "a"]);
});

test("techniques are named once", () => {
  assert.deepEqual(techniquesOf([["SAXS"], ["saxs ", "WAXS"]]), ["SAXS", "WAXS"]);
});
