import assert from "node:assert/strict";
import { test } from "node:test";
import { canCome, elapsed, Steps, type Progress } from "../src/pending/steps.ts";

function after(...events: Progress[]): Steps {
  const steps = new Steps();
  events.forEach((event, index) => steps.add(event, 100 + index));
  return steps;
}

const short = (steps: Steps): string => steps.list().map((s) => `${s.name}:${s.state}`).join(" ");

test("what is under way, what is over, what is to come", () => {
  const steps = after({ progress: 5, message: "Checking rights" }, { progress: 20, message: "Submitted as job 7" });
  assert.equal(short(steps), "rights:done submitted:now queued:todo allocated:todo server:todo ready:todo");
});

test("a stage keeps the time it began, and says the newest word", () => {
  const steps = after(
    { stage: "queued", progress: 30, message: "position 3", at: 50 },
    { stage: "queued", progress: 30, message: "position 2", at: 60 },
  );
  const queued = steps.list().find((step) => step.name === "queued");
  assert.deepEqual([queued?.at, queued?.message], [50, "position 2"]);
});

test("what says the title again takes its place", () => {
  const steps = after({ stage: "submitted", progress: 20, message: "Submitted as job 7" }).list();
  assert.deepEqual([steps[1]?.title, steps[1]?.message], ["Submitted as job 7", ""]);
});

test("JupyterHub's own first word is no stage", () => {
  const steps = after({ progress: 0, message: "Server requested" }, { stage: "rights", progress: 5, message: "x", at: 7 });
  assert.equal(steps.list()[0]?.at, 7);
});

test("stages that are passed over are shown only where they happened", () => {
  const steps = after({ progress: 60, message: "Container starting" }, { progress: 75, message: "Server starting" });
  assert.match(short(steps), /container:done server:now/);
  assert.doesNotMatch(short(steps), /image|submitting/);
});

test("a start that failed stops at the step where it failed, with the reason", () => {
  const steps = after(
    { progress: 30, message: "Waiting" },
    { progress: 100, failed: true, message: "Spawn failed: node na1 failed\nthe log" },
  );
  assert.equal(short(steps), "queued:failed");
  assert.equal(steps.failure, "node na1 failed\nthe log");
  assert.equal(steps.over, "failed");
});

test("ready ends every step", () => {
  const steps = after({ progress: 5, message: "Checking rights" }, { progress: 100, ready: true, url: "/user/a/" });
  assert.ok(steps.list().every((step) => step.state === "done"));
});

test("how long it takes", () => {
  assert.deepEqual([0, 59.4, 61, 3599, 7500].map(elapsed), ["0 s", "59 s", "1 min 1 s", "59 min 59 s", "2 h 5 min"]);
});

test("placing and the node's checks are steps of their own", () => {
  const steps = after(
    { stage: "rights", progress: 5, message: "Checking rights" },
    { stage: "placed", progress: 8, message: "Placed next to 1 GB in raw-a" },
    { stage: "allocated", progress: 50, message: "Node allocated: na1" },
    { stage: "checks", progress: 55, message: "Checking image and data on the node" },
  );
  assert.match(short(steps), /^rights:done placed:done .*allocated:done checks:now/);
  assert.equal(steps.list().find((step) => step.name === "allocated")?.title, "Node allocated: na1");
});

test("nothing more comes of a stream that is closed", () => {
  assert.deepEqual([0, 1, 2].map((readyState) => canCome({ readyState })), [true, true, false]);
});
