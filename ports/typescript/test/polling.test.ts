/** Polling for results: pending, failed and expired ones. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as tinker from "../src/index.js";
import { scripted, SteppedClock } from "./support.js";

const PROMPT = tinker.modelInput([1, 2, 3]);
const SAMPLE = { body: { sequences: [{ stop_reason: "length", tokens: [4] }] } };

async function training() {
  const heart = new SteppedClock();
  const setup = scripted({ deadline: 600, heart });
  return { ...setup, heart, training: await setup.service.createLoraTrainingClient("base") };
}

test("polls until the result is ready", async () => {
  const { server, clock, training: model } = await training();
  server.script(
    "retrieve_future",
    { status: 408, body: { queue_state: "paused_capacity" } },
    { body: { type: "try_again", request_id: "1", queue_state: "active" } },
    { status: 202 },
    { status: 503, headers: { "retry-after": "9" } },
    { status: 400 },
    { body: { metrics: null } },
  );
  assert.deepEqual(await model.optimStep(), { metrics: null });
  assert.deepEqual(clock.slept, [0.25, 0.1, 0.2, 9, 0.25]);
});

test("a failed operation reports its category", async () => {
  const { server, training: model } = await training();
  server.script("retrieve_future", { body: { error: "bad weights", category: "user" } });
  await assert.rejects(model.optimStep(), (error: tinker.RequestFailedError) => {
    assert.ok(error instanceof tinker.RequestFailedError);
    assert.equal(error.category, "user");
    assert.match(error.message, /^optim_step: bad weights \[request id 1/);
    return true;
  });
});

test("x-should-retry of a poll response takes precedence", async () => {
  const { server, clock, training: model } = await training();
  const never = { headers: { "x-should-retry": "false" } };
  for (const [status, kind] of [
    [503, tinker.InternalServerError],
    [408, tinker.APIStatusError],
    [400, tinker.BadRequestError],
  ] as const) {
    server.script("retrieve_future", { status, ...never });
    await assert.rejects(model.optimStep(), kind);
  }
  assert.deepEqual(clock.slept, []);
  const again = { headers: { "x-should-retry": "true" }, body: { detail: "not yet" } };
  server.script("retrieve_future", { status: 409, ...again }, { status: 410, ...again });
  await model.optimStep();
  assert.deepEqual(clock.slept, [0.25, 0.5]);
});

test("a rejected poll ends the wait", async () => {
  const { server, training: model } = await training();
  server.script("retrieve_future", { status: 404, body: { detail: "no such future" } });
  await assert.rejects(model.optimStep(), (error: tinker.NotFoundError) => {
    assert.ok(error instanceof tinker.NotFoundError);
    assert.deepEqual([error.attempts, error.requestId], [1, "1"]);
    return true;
  });
});

test("polls wait for the server's delay", async () => {
  const { server, clock, training: model } = await training();
  server.script("retrieve_future", { status: 408, headers: { "retry-after": "3" } });
  await model.optimStep();
  assert.deepEqual(clock.slept, [3]);
});

test("a poll that times out is not a failure while heartbeats succeed", async () => {
  const { server, clock, heart, training: model } = await training();
  const tooLong = new DOMException("too long", "TimeoutError");
  server.script("retrieve_future", tooLong, tooLong, new TypeError("fetch failed"));
  await model.optimStep();
  assert.deepEqual(clock.slept, [0.05, 0.1, 0.25]); // the last delay follows a failure
  clock.slept.length = 0;
  server.script("retrieve_future", () => {
    heart.pass(121); // without a response to a heartbeat
    return tooLong;
  });
  await model.optimStep();
  assert.deepEqual(clock.slept, [0.25]);
});

test("failing polls stop at the deadline", async () => {
  const { server, clock, service } = scripted({ deadline: 20 });
  const model = await service.createLoraTrainingClient("base");
  for (const status of [503, 402]) {
    const start = clock.now();
    server.script("retrieve_future", ...Array<object>(40).fill({ status }));
    await assert.rejects(model.optimStep(), tinker.APIStatusError);
    assert.ok(clock.now() - start <= 20);
    server.forget("retrieve_future");
  }
});

test("pending polls stop at the deadline", async () => {
  const { server, clock, training: model } = await training();
  server.script("retrieve_future", ...Array<object>(2000).fill({ status: 408 }));
  const start = clock.now();
  await assert.rejects(model.optimStep(), tinker.DeadlineExceededError);
  assert.ok(clock.now() - start <= 600);
});

test("malformed responses are tolerated six times", async () => {
  const { server, training: model } = await training();
  server.script("retrieve_future", ...Array<object>(7).fill({ body: "<html>" }));
  await assert.rejects(model.optimStep(), tinker.APIResponseValidationError);
  assert.equal(server.sent("retrieve_future").length, 8);
});

test("a sample whose result is gone is resubmitted, a training step is not", async () => {
  const { server, service, training: model } = await training();
  server.script("retrieve_future", { status: 410 });
  await assert.rejects(model.optimStep(), tinker.GoneError);
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  server.script("retrieve_future", { status: 410 }, SAMPLE);
  assert.deepEqual((await sampler.sample(PROMPT)).sequences[0]?.tokens, [4]);
  assert.deepEqual(
    server.sent("asample").map(({ body }) => body.seq_id),
    [0, 1],
  );
});
