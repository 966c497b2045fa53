import assert from "node:assert/strict";
import { test } from "node:test";
import { joined, takesLast, unknown } from "../src/spawn/datasets.ts";
import { freeWords, partitionFor } from "../src/spawn/hardware.ts";
import { better, isForAnother, numberProblem, obstacles, problemWords, reasonsOf, summary, unplaced, withTitles } from "../src/spawn/planwords.ts";
import type { Options, Plan } from "../src/spawn/types.ts";

const options: Options = { profile: "small", hardware: "small", datasets: ["p-1"] };
const plan: Plan = {
  profile: "small", hardware: "small", near: "storage-a", reason: "", bytes_near: 10, bytes_far: 0,
  alternatives: [], rights: [], start: null, notes: [], problems: [],
};

test("the summary says where and what crosses the network", () => {
  assert.equal(summary(plan, options).place, "Starts next to your data on storage-a; 0 B cross the network.");
  const most = { ...plan, bytes_far: 2_500_000, reason: "storage-a holds most of the bytes." };
  const words = summary(most, options);
  assert.equal(words.place, "Starts on storage-a, next to most of your data; 2.5 MB cross the network.");
  assert.equal(words.reason, "Storage-a holds most of the bytes.");
  assert.match(summary({ ...plan, near: null, bytes_far: 9 }, options).place, /^Does not start next to your data; 9 B/);
  assert.equal(summary({ ...plan, reason: "next to 10 bytes in storage-a" }, options).reason, "");
  const more = { ...plan, reason: "next to 10 bytes in storage-a, on partition short" };
  assert.equal(summary(more, options).reason, "Next to 10 bytes in storage-a, on partition short.");
});

test("without datasets there is no place to speak of", () => {
  assert.equal(summary(plan, { ...options, datasets: [] }).place, "");
});

test("a dataset that may not be read stands against a start, told once", () => {
  const right = { pid: "p-1", answer: "no", path: "/data/x", reason: "" } as const;
  assert.deepEqual(obstacles({ ...plan, rights: [right] }), [
    { pid: "p-1", field: "datasets", message: "you may not read /data/x", hint: "" },
  ]);
  const told = { pid: "p-1", field: "datasets", message: "dataset p-1: may not be read", hint: "ask" };
  assert.deepEqual(obstacles({ ...plan, rights: [right], problems: [told] }), [told]);
  assert.deepEqual(obstacles({ ...plan, rights: [{ ...right, answer: "unknown" }] }), []);
});

test("problems read as sentences", () => {
  const problem = { field: "cores", message: "cores must be 1 to 4", hint: "ask for less" };
  assert.equal(problemWords(problem), "Cores must be 1 to 4. Ask for less.");
});

test("only what is nearer or sooner is offered instead", () => {
  const now = Date.parse("2026-03-10T12:00:00");
  const start = (minutes: number) => ({ earliest: now / 1000, latest: now / 1000 + minutes * 60 });
  const other = { profile: "p", near: null, reason: "", bytes_far: 5, start: start(30) };
  const alternatives = [
    { ...other, hardware: "same" },
    { ...other, hardware: "nearer", bytes_far: 4, start: null },
    { ...other, hardware: "sooner", start: start(10) },
    { ...other, hardware: "hardly sooner", start: start(29.5) },
    { ...other, hardware: "nobody knows", start: null },
  ];
  const names = (own: Plan): string[] => better(own, now).map((one) => one.hardware);
  assert.deepEqual(names({ ...plan, bytes_far: 5, start: start(30), alternatives }), ["nearer", "sooner"]);
  assert.deepEqual(names({ ...plan, bytes_far: 4, start: start(0), alternatives }), []);
});

test("what stands against a dataset is said at the dataset", () => {
  const missing = { pid: "p-2", field: "datasets", message: "unknown dataset p-2", hint: "search for it" };
  const longer = { pid: "p-30", field: "datasets", message: "unknown dataset p-30", hint: null };
  const right = { pid: "p-1", answer: "no", path: "/data/x", reason: "no read for alice" } as const;
  const found = reasonsOf({ ...plan, rights: [right], problems: [longer, missing] }, ["p-1", "p-2", "p-3"]);
  assert.deepEqual([...found], [["p-1", "No read for alice."], ["p-2", "Unknown dataset p-2."]]);
});

test("a message about several values is said beside each", () => {
  const both = { field: "hardware", message: "cores must be 1 to 4, not '9'; account must be a word", hint: "open: cores" };
  assert.deepEqual(
    obstacles({ ...plan, problems: [both] }).map((p) => [p.field, p.message]),
    [["cores", "cores must be 1 to 4, not '9'"], ["account", "account must be a word"]],
  );
  const whole = { field: "hardware", message: "the partition is down; ask", hint: null };
  assert.deepEqual(obstacles({ ...plan, problems: [whole] }), [whole]);
  const schema = { field: "options", message: "spawn options refused: qos: too long", hint: null };
  assert.deepEqual(obstacles({ ...plan, problems: [schema] }).map((p) => [p.field, p.message]), [["qos", "qos: too long"]]);
});

test("numbers are held against their slider", () => {
  assert.equal(numberProblem("4", 2, 8, 2), "");
  assert.match(numberProblem("9", 2, 8, 1), /from 2 to 8/);
  assert.match(numberProblem("5", 2, 8, 2), /2, 4, 6/);
  for (const text of ["", "1.5", "-2", "1e1", "x"]) assert.match(numberProblem(text, 0, 99, 1), /whole number/, text);
});

test("availability counts what there is", () => {
  const partition = {
    cores_idle: 14, cores_total: 24, nodes_idle: 1, nodes_total: 1, gpus_idle: 0, gpus_total: 0, pending: 3,
  };
  assert.equal(freeWords(partition), "14 of 24 cores idle · 1 of 1 node empty · 3 jobs waiting");
  assert.match(freeWords({ ...partition, gpus_total: 2, gpus_idle: 1 }), /1 of 2 GPUs free/);
});

test("hardware without a partition is where the data are, or on the cluster's default", () => {
  const partition = (cores_idle: number) => ({
    cores_idle, cores_total: 24, nodes_idle: 1, nodes_total: 1, gpus_idle: 0, gpus_total: 0, pending: 0,
  });
  const partitions = { short: partition(1), long: partition(2) };
  const cluster = { answers: true, as_of: 1, partitions, default_partition: "long", message: "" };
  assert.equal(partitionFor(cluster, "short", true), partitions.short);
  assert.equal(partitionFor(cluster, "", false), partitions.long);
  assert.equal(partitionFor(cluster, "", true), "by data");
  assert.equal(partitionFor({ ...cluster, default_partition: null }, "", false), null);
  assert.equal(partitionFor({ ...cluster, partitions: { long: partitions.long } }, "", true), partitions.long);
});

test("a page that overlaps brings nothing twice", () => {
  const [a, b, c] = [unknown("p-1"), unknown("p-2"), unknown("p-3")];
  assert.deepEqual(joined([a, b], [b, c]).map((one) => one.pid), ["p-1", "p-2", "p-3"]);
});

test("Backspace takes one dataset away, however long it is held", () => {
  assert.equal(takesLast({ key: "Backspace", repeat: false }, ""), true);
  assert.equal(takesLast({ key: "Backspace", repeat: true }, ""), false);
  assert.equal(takesLast({ key: "Backspace", repeat: false }, "x"), false);
});

test("the form of another user is known by its name", () => {
  assert.equal(isForAnother("bob", "admin"), true);
  assert.equal(isForAnother("bob", "bob"), false);
  assert.equal(isForAnother("", "bob"), false);
});

test("where the hub chooses the hardware, no hardware's values are asked for", () => {
  assert.deepEqual(unplaced({ ...options, cores: 2, qos: "fast" }), { profile: "small", datasets: ["p-1"] });
});

test("a note speaks of datasets by their titles", () => {
  const titles: [string, string][] = [["p-1", "Scan $& 1"], ["p-2", ""]];
  assert.equal(withTitles("dataset p-1 links to /x", titles), "dataset “Scan $& 1” links to /x");
  assert.equal(withTitles("dataset p-10 links to /x", titles), "dataset p-10 links to /x");
  assert.equal(withTitles("dataset p-2 links to /x", titles), "dataset p-2 links to /x");
});
