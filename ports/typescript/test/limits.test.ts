/** Limits on requests in flight, and the restart after a shared pause. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Budget } from "../src/budget.js";
import { MAX_POLLS } from "../src/core.js";
import * as tinker from "../src/index.js";
import { scripted, settled, SimulatedClock, SteppedClock, type Scripted } from "./support.js";

const PROMPT = tinker.modelInput([1, 2, 3]);
const SAMPLE = { body: { sequences: [{ tokens: [1], stop_reason: "stop" }] } };

/** A response that the test sends. */
function held(): { response: Promise<Scripted>; send: (scripted: Scripted) => void } {
  let send = (_: Scripted) => {};
  const response = new Promise<Scripted>((resolve) => (send = resolve));
  return { response, send };
}

test("a sample is sent when another one has its result", async () => {
  const { server, service } = scripted({ maxSamplesInFlight: 2 });
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  const [first, second] = [held(), held()];
  server.script("retrieve_future", first.response, second.response, SAMPLE);
  const samples = [1, 2, 3].map(() => sampler.sample(PROMPT));
  await settled();
  assert.equal(server.sent("asample").length, 2);
  first.send(SAMPLE);
  await settled();
  assert.equal(server.sent("asample").length, 3);
  second.send(SAMPLE);
  assert.equal((await Promise.all(samples)).length, 3);
  const numbers = server.sent("asample").map(({ body }) => body.seq_id);
  assert.deepEqual(numbers, [0, 1, 2]);
});

test("the server's limit applies, unless the user has set one", async () => {
  for (const [maxSamplesInFlight, expected] of [[undefined, 1] as const, [3, 3] as const]) {
    const { server, service } = scripted({ protocol: "0.38.0", maxSamplesInFlight });
    server.script("client/config", { body: { sample_max_concurrent_requests: 1 } });
    const sampler = await service.createSamplingClient({ baseModel: "base" });
    const pending = held();
    server.script("retrieve_future", pending.response, pending.response, pending.response);
    const samples = [1, 2, 3].map(() => sampler.sample(PROMPT));
    await settled();
    assert.equal(server.sent("asample").length, expected);
    server.script("retrieve_future", SAMPLE, SAMPLE, SAMPLE);
    pending.send(SAMPLE);
    await Promise.all(samples);
  }
});

test("a poll waits until one of the polls in flight has its response", async () => {
  const { server, service } = scripted();
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  const responses = Array.from({ length: MAX_POLLS }, held);
  server.script("retrieve_future", ...responses.map(({ response }) => response), SAMPLE, SAMPLE);
  const controller = new AbortController();
  const samples = Array.from({ length: MAX_POLLS + 1 }, () => sampler.sample(PROMPT));
  const aborted = sampler.sample(PROMPT, {}, { signal: controller.signal });
  await settled();
  assert.equal(server.sent("asample").length, MAX_POLLS + 2);
  assert.equal(server.sent("retrieve_future").length, MAX_POLLS);
  controller.abort();
  await assert.rejects(aborted, { name: "AbortError" });
  responses[0]?.send(SAMPLE);
  await settled();
  assert.equal(server.sent("retrieve_future").length, MAX_POLLS + 1);
  for (const { send } of responses) send(SAMPLE);
  assert.equal((await Promise.all(samples)).length, MAX_POLLS + 1);
  const ids = server.sent("retrieve_future").map(({ body }) => body.request_id);
  assert.equal(new Set(ids).size, MAX_POLLS + 1, "the aborted sample is not polled");
});

test("an aborted sample that waits is not sent", async () => {
  const { server, service } = scripted({ maxSamplesInFlight: 1 });
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  const pending = held();
  server.script("retrieve_future", pending.response, SAMPLE);
  const controller = new AbortController();
  const first = sampler.sample(PROMPT);
  const aborted = sampler.sample(PROMPT, {}, { signal: controller.signal });
  const last = sampler.sample(PROMPT);
  await settled();
  controller.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  pending.send(SAMPLE);
  await Promise.all([first, last]);
  assert.equal(server.sent("asample").length, 2);
});

test("training data of two models shares the budget of bytes", async () => {
  const { server, service } = scripted({ maxTrainingBytesInFlight: 70 });
  const [a, b] = [
    await service.createLoraTrainingClient("a"),
    await service.createLoraTrainingClient("b"),
  ];
  const targets = tinker.tensor([2, 3], "int64");
  const data = [
    { model_input: tinker.modelInput([1, 2]), loss_fn_inputs: { target_tokens: targets } },
  ];
  const output = { body: { loss_fn_outputs: [{}], metrics: {} } };
  const pending = held();
  server.script("forward_backward", pending.response);
  server.script("retrieve_future", output, output);
  const passes = [a, b].map((model) => model.forwardBackward(data, "cross_entropy"));
  await settled();
  assert.equal(server.sent("forward_backward").length, 1); // two of 40 bytes exceed 70
  pending.send({ body: { request_id: "first" } });
  await Promise.all(passes);
  assert.equal(server.sent("forward_backward").length, 2);
});

test("a large size is not overtaken, and a failure gives its size back", async () => {
  const budget = new Budget(10);
  const started: number[] = [];
  const release: (() => void)[] = [];
  const work = (size: number) => () => {
    started.push(size);
    return new Promise<void>((resolve) => release.push(resolve));
  };
  const failed = budget.run(10, async () => Promise.reject(new Error("failed")));
  await assert.rejects(failed, /failed/);
  const runs = [4, 50, 1].map((size) => budget.run(size, work(size)));
  await settled();
  assert.deepEqual(started, [4]);
  release[0]?.();
  await settled();
  assert.deepEqual(started, [4, 50]);
  release[1]?.();
  await settled();
  assert.deepEqual(started, [4, 50, 1]);
  release[2]?.();
  await Promise.all(runs);
});

test("after a shared pause ten requests start at once, the others in its ramp", async () => {
  const { server, settings } = scripted();
  const clock = new SteppedClock();
  const service = new tinker.ServiceClient({ ...settings, clock });
  const rejected = held();
  const models = { body: { supported_models: [] } };
  server.script("get_server_capabilities", rejected.response, ...Array<object>(13).fill(models));
  const first = service.getServerCapabilities();
  await settled();
  rejected.send({ status: 429, headers: { "retry-after": "10" } });
  await settled();
  const calls = Array.from({ length: 12 }, () => service.getServerCapabilities());
  await settled();
  assert.equal(server.requests.length, 1);
  await clock.step(10);
  assert.equal(server.requests.length, 11);
  await clock.step(1);
  assert.equal(server.requests.length, 14);
  await Promise.all([first, ...calls]);
});

test("a restart of which the server accepts nothing extends the next pause", async () => {
  const clock = new SimulatedClock();
  const { server, settings } = scripted();
  const service = new tinker.ServiceClient({ ...settings, clock });
  const limited = { status: 429, headers: { "retry-after": "1" } };
  server.script("get_server_capabilities", limited, limited, { body: {} });
  await service.getServerCapabilities();
  assert.deepEqual(clock.slept, [1, 1, 1]); // the last one: half of twice the pause
});
