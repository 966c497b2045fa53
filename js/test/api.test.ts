import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { mock, test } from "node:test";
import { Api, ApiError, errorOf, withQuery } from "../src/lib/api.ts";
import { Latest } from "../src/lib/latest.ts";

test("the token goes along, the answer comes back", async () => {
  const asked: [string, RequestInit][] = [];
  const send = (async (url: string, init: RequestInit) => {
    asked.push([url, init]);
    return new Response('{"a": 1}');
  }) as typeof fetch;
  assert.deepEqual(await new Api("/hub/", "tok", {}, send).post("nearfield/plan", { b: 2 }), { a: 1 });
  assert.equal(asked[0]?.[0], "/hub/api/nearfield/plan");
  assert.equal((asked[0]?.[1].headers as Record<string, string>)["X-XSRFToken"], "tok");
  assert.equal(asked[0]?.[1].body, '{"b":2}');
});

test("for whom it is asked is said with every request", async () => {
  const asked: string[] = [];
  const send = (async (url: string) => {
    asked.push(url);
    return new Response("{}");
  }) as typeof fetch;
  const api = new Api("/hub/", "tok", { user: "b&b" }, send);
  await api.get("nearfield/datasets?text=x");
  await api.post(withQuery("nearfield/plan", { server: "two 2" }), {});
  assert.deepEqual(asked, [
    "/hub/api/nearfield/datasets?text=x&user=b%26b", "/hub/api/nearfield/plan?server=two+2&user=b%26b",
  ]);
  assert.equal(withQuery("nearfield/plan", { server: "" }), "nearfield/plan");
});

test("what went wrong is said in words", async () => {
  assert.equal(errorOf(503, { message: "the catalogue does not answer", hint: "later" }).hint, "later");
  assert.equal(errorOf(502, null).message, "the hub answered 502");
  assert.match(errorOf(403, { message: "XSRF cookie does not match" }).message, /not logged in/);
  const refused = (async () => { throw new TypeError("fetch failed"); }) as typeof fetch;
  await assert.rejects(new Api("/hub/", "", {}, refused).get("x"), (e: ApiError) => e.status === 0 && /hub does not answer/.test(e.message));
  const html = (async () => new Response("<html>", { status: 200 })) as typeof fetch;
  await assert.rejects(new Api("/hub/", "", {}, html).get("x"), /not JSON/);
});

test("of many questions only the last is asked, and an older answer is dropped", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const seen: string[] = [];
  const aborted: string[] = [];
  const latest = new Latest<string>(async (text, signal) => {
    seen.push(text);
    signal.addEventListener("abort", () => aborted.push(text));
  }, 250);
  latest.ask("d");
  latest.ask("de");
  mock.timers.tick(249);
  assert.deepEqual(seen, []);
  mock.timers.tick(1);
  latest.ask("det");
  mock.timers.tick(250);
  assert.deepEqual([seen, aborted], [["de", "det"], ["de"]]);
  mock.timers.reset();
});

test("no text ever becomes HTML", () => {
  const source = join(import.meta.dirname, "../src");
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  assert.ok(files.length > 10);
  for (const name of files) {
    const text = readFileSync(join(source, name), "utf8");
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function/, name);
  }
});
