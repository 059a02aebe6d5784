/** Results: waited for, failed, lost. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as tinker from "../src/index.js";
import { scripted } from "./support.js";

const PROMPT = tinker.modelInput([1, 2, 3]);
const SAMPLE = { body: { sequences: [{ stop_reason: "length", tokens: [4] }] } };

async function training() {
  const all = scripted({ deadline: 600 });
  return { ...all, training: await all.service.createLoraTrainingClient("base") };
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

test("the server's own opinion of a refused poll counts", async () => {
  const { server, training: model } = await training();
  server.script("retrieve_future", { status: 503, headers: { "x-should-retry": "false" } });
  await assert.rejects(model.optimStep(), tinker.InternalServerError);
  server.script("retrieve_future", {
    status: 400,
    body: {},
    headers: { "x-should-retry": "true" },
  });
  await model.optimStep();
});

test("a poll that is held for too long is no failure while the server lives", async () => {
  const { server, training: model } = await training();
  server.script("retrieve_future", new DOMException("too long", "TimeoutError"));
  await model.optimStep();
  assert.equal(server.sent("retrieve_future").length, 3);
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
  server.script("retrieve_future", { status: 410 }, { status: 410 }, { status: 410 });
  await assert.rejects(sampler.sample(PROMPT), tinker.GoneError);
});
