/** Retries, shared pauses, and the errors after the last attempt. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { inspect } from "node:util";

import * as tinker from "../src/index.js";
import { scripted, SimulatedClock } from "./support.js";

test("all attempts of a call have the same seq_id and idempotency key", async () => {
  const { server, clock, service } = scripted();
  const training = await service.createLoraTrainingClient("base");
  server.script("optim_step", { status: 503 }, new TypeError("fetch failed"), { body: "<html>" });
  await training.optimStep();
  await training.optimStep();
  const sent = server.sent("optim_step");
  const keys = new Set(sent.map(({ headers }) => headers.get("x-idempotency-key")));
  assert.deepEqual(
    sent.map(({ body }) => body.seq_id),
    [1, 1, 1, 1, 2],
  );
  assert.equal(keys.size, 2);
  assert.deepEqual(clock.slept, [0.25, 0.5, 1]);
});

test("the server's delay is respected, or reported if it does not fit into the window", async () => {
  const { server, clock, service } = scripted();
  server.script("get_server_capabilities", { status: 503, headers: { "retry-after": "7" } });
  server.script("get_server_capabilities", { body: { supported_models: [] } });
  assert.deepEqual(await service.getServerCapabilities(), []);
  assert.deepEqual(clock.slept, [7]);
  server.script("get_server_capabilities", { status: 429, headers: { "retry-after": "400" } });
  await assert.rejects(service.getServerCapabilities(), (error: tinker.RateLimitError) => {
    assert.ok(error instanceof tinker.RateLimitError);
    assert.deepEqual([error.attempts, error.retryAfter], [1, 400]);
    return true;
  });
});

test("a request during a shared pause waits for its end", async () => {
  const { server, settings, service } = scripted();
  const late = new SimulatedClock();
  const other = new tinker.ServiceClient({ ...settings, clock: late });
  const models = { body: { supported_models: [{ model_name: "base" }] } };
  let release = () => {};
  const held = new Promise<typeof models>((resolve) => (release = () => resolve(models)));
  server.script("get_server_capabilities", { status: 429, headers: { "retry-after": "7" } });
  server.script("get_server_capabilities", held, models);
  const first = service.getServerCapabilities();
  while (server.requests.length < 2) await new Promise(setImmediate);
  assert.deepEqual(await other.getServerCapabilities(), ["base"]);
  assert.deepEqual(late.slept, [7]);
  release();
  await first;
});

test("a request whose window ends before the pause fails without being sent", async () => {
  const { server, settings, service } = scripted();
  const early = new tinker.ServiceClient({ ...settings, clock: new SimulatedClock(990) });
  let release = () => {};
  const held = new Promise<object>((resolve) => (release = () => resolve({ body: {} })));
  const limited = { status: 429, headers: { "retry-after": "300" } };
  server.script("get_server_capabilities", limited, held);
  const first = service.getServerCapabilities();
  while (server.requests.length < 2) await new Promise(setImmediate);
  await assert.rejects(early.getServerCapabilities(), (error: tinker.RateLimitError) => {
    assert.ok(error instanceof tinker.RateLimitError);
    assert.deepEqual([error.attempts, error.retryAfter], [0, 310]);
    return true;
  });
  assert.equal(server.requests.length, 2);
  release();
  await first;
});

test("the delay of a 503 does not delay other calls", async () => {
  const { server, settings, service } = scripted();
  const late = new SimulatedClock();
  const other = new tinker.ServiceClient({ ...settings, clock: late });
  let release = () => {};
  const held = new Promise<object>((resolve) => (release = () => resolve({ body: {} })));
  const busy = { status: 503, headers: { "retry-after": "7" } };
  server.script("get_server_capabilities", busy, held, { body: {} });
  const first = service.getServerCapabilities();
  while (server.requests.length < 2) await new Promise(setImmediate);
  await other.getServerCapabilities();
  assert.deepEqual(late.slept, []);
  release();
  await first;
});

test("after a suspension longer than the window, exactly one attempt follows", async () => {
  const { server, clock, service } = scripted();
  const unavailable = { status: 503 };
  const late = () => {
    clock.pass(299);
    clock.suspend(1000);
    clock.pass(2);
    return unavailable;
  };
  server.script("get_server_capabilities", late, unavailable, { body: {} });
  await assert.rejects(service.getServerCapabilities(), (error: tinker.APIError) => {
    assert.equal(error.attempts, 2);
    return true;
  });
  assert.equal(server.requests.length, 2);
});

test("an unreadable success is retried six times", async () => {
  const { server, service } = scripted();
  const page = { body: "<html>welcome</html>" };
  server.script("get_server_capabilities", ...Array<object>(7).fill(page));
  const call = service.getServerCapabilities();
  await assert.rejects(call, tinker.APIResponseValidationError);
  assert.equal(server.requests.length, 7);
});

test("only consecutive unreadable successes are counted", async () => {
  const { server, service } = scripted();
  const page = { body: "<html>welcome</html>" };
  server.script("get_server_capabilities", ...Array<object>(6).fill(page), { status: 500 });
  server.script("get_server_capabilities", ...Array<object>(6).fill(page), { body: {} });
  assert.deepEqual(await service.getServerCapabilities(), []);
});

test("a response of another shape is not retried", async () => {
  const { server, service } = scripted();
  server.script("create_session", { body: { hello: 1 } });
  await assert.rejects(service.createLoraTrainingClient("base"), tinker.APIResponseValidationError);
  assert.equal(server.requests.length, 1);
});

test("an error describes the failure without the key", async () => {
  const { server, settings, service } = scripted();
  const body = { detail: `no such key: ${settings.apiKey}`, category: "user" };
  const headers = { "x-request-id": `r-1 of ${settings.apiKey}` };
  server.script("get_server_capabilities", { status: 401, body, headers });
  await assert.rejects(service.getServerCapabilities(), (error: tinker.APIStatusError) => {
    assert.ok(error instanceof tinker.AuthenticationError);
    assert.equal(error.category, "user");
    assert.equal(error.requestId, "r-1 of ***");
    assert.match(error.message, /^get_server_capabilities: HTTP 401 no such key: \*\*\* .*r-1/);
    assert.doesNotMatch(inspect(error, { depth: 9 }), /0123456789/);
    return true;
  });
  assert.doesNotMatch(inspect(service, { depth: 9, showHidden: true }), /0123456789/);
});

test("a redirect, which would receive the key, is not followed", async (context) => {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? "");
    response.writeHead(302, { location: "/elsewhere" }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => server.close());
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const service = new tinker.ServiceClient({ baseUrl, apiKey: "tml-x" });
  await assert.rejects(service.getServerCapabilities(), { name: "APIStatusError", status: 302 });
  assert.deepEqual(paths, ["/api/v1/get_server_capabilities"]);
});

test("an unreachable server is retried for five minutes", async () => {
  const clock = new SimulatedClock();
  const baseUrl = "http://127.0.0.1:1"; // a port without a listener
  const service = new tinker.ServiceClient({ baseUrl, apiKey: "tml-x", clock });
  await assert.rejects(service.getServerCapabilities(), (error: tinker.APIConnectionError) => {
    assert.ok(error instanceof tinker.APIConnectionError);
    assert.equal(error.fault, "connect");
    return true;
  });
  assert.ok(Math.abs(clock.slept.reduce((a, b) => a + b, 0) - 300) < 1e-9);
});
