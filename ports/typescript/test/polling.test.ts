/** Results: waited for, failed, lost. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as tinker from "../src/index.js";
import { scripted, SteppedClock } from "./support.js";

const PROMPT = tinker.modelInput([1, 2, 3]);
const SAMPLE = { body: { sequences: [{ stop_reason: "length", tokens: [4] }] } };

async function training() {
  const heart = new SteppedClock();
  const all = scripted({ deadline: 600, heart });
  return { ...all, heart, training: await all.service.createLoraTrainingClient("base") };
}

test("a result is asked for until it is there", async () => {
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

test("work that failed tells whose fault it was", async () => {
  const { server, training: model } = await training();
  server.script("retrieve_future", { body: { error: "bad weights", category: "user" } });
  await assert.rejects(model.optimStep(), (error: tinker.RequestFailedError) => {
    assert.ok(error instanceof tinker.RequestFailedError);
    assert.equal(error.category, "user");
    assert.match(error.message, /^optim_step: bad weights \[request id 1/);
    return true;
  });
});

test("the server's own opinion of a poll counts", async () => {
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

test("a poll that is refused ends the wait", async () => {
  const { server, training: model } = await training();
  server.script("retrieve_future", { status: 404, body: { detail: "no such future" } });
  await assert.rejects(model.optimStep(), (error: tinker.NotFoundError) => {
    assert.ok(error instanceof tinker.NotFoundError);
    assert.deepEqual([error.attempts, error.requestId], [1, "1"]);
    return true;
  });
});

test("a wait that the server asks for is kept to between polls", async () => {
  const { server, clock, training: model } = await training();
  server.script("retrieve_future", { status: 408, headers: { "retry-after": "3" } });
  await model.optimStep();
  assert.deepEqual(clock.slept, [3]);
});

test("a poll that is held for too long is no failure while the server lives", async () => {
  const { server, clock, heart, training: model } = await training();
  const tooLong = new DOMException("too long", "TimeoutError");
  server.script("retrieve_future", tooLong, tooLong, new TypeError("fetch failed"));
  await model.optimStep();
  assert.deepEqual(clock.slept, [0.05, 0.1, 0.25]); // the last one is a failure
  clock.slept.length = 0;
  server.script("retrieve_future", () => {
    heart.pass(121); // in which no heartbeat was answered
    return tooLong;
  });
  await model.optimStep();
  assert.deepEqual(clock.slept, [0.25]);
});

test("polls that fail do so no longer than the whole wait may last", async () => {
  const { server, clock, service } = scripted({ deadline: 20 });
  const model = await service.createLoraTrainingClient("base");
  for (const status of [503, 402]) {
    const began = clock.now();
    server.script("retrieve_future", ...Array<object>(40).fill({ status }));
    await assert.rejects(model.optimStep(), tinker.APIStatusError);
    assert.ok(clock.now() - began <= 20);
    server.forget("retrieve_future");
  }
});

test("the whole wait has a deadline", async () => {
  const { server, clock, training: model } = await training();
  server.script("retrieve_future", ...Array<object>(2000).fill({ status: 408 }));
  const began = clock.now();
  await assert.rejects(model.optimStep(), tinker.DeadlineExceededError);
  assert.ok(clock.now() - began <= 600);
});

test("answers that are none are borne three times", async () => {
  const { server, training: model } = await training();
  server.script("retrieve_future", ...Array<object>(4).fill({ body: "<html>" }));
  await assert.rejects(model.optimStep(), tinker.APIResponseValidationError);
  assert.equal(server.sent("retrieve_future").length, 5);
});

test("a sample whose result is gone is made anew, a training step is not", async () => {
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
