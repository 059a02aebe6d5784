/** Samples, sampling sessions, and default parameters. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as tinker from "../src/index.js";
import { scripted, settled, SPECIFICATION } from "./support.js";

const PROMPT = tinker.modelInput([1, 2, 3]);
const SAMPLE = sampled(1);
const PENDING = { body: { type: "try_again", queue_state: "active" } };

function sampled(count: number) {
  return { body: { sequences: Array(count).fill({ stop_reason: "length", tokens: [4] }) } };
}

test("samples are numbered from 0 and request backpressure", async () => {
  const { server, service } = scripted();
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  server.script("retrieve_future", SAMPLE, sampled(4));
  await Promise.all([sampler.sample(PROMPT), sampler.sample(PROMPT, {}, { numSamples: 4 })]);
  const sent = server.sent("asample");
  const fields = sent.map(({ body }) => [body.sampling_session_id, body.seq_id, body.num_samples]);
  assert.deepEqual(fields, [
    ["sampling", 0, 1],
    ["sampling", 1, 4],
  ]);
  assert.equal(sent[0]?.headers.get("x-tinker-sampling-backpressure"), "1");
});

test("the logprobs of a prompt, and the most likely tokens of a sample, are requested", async () => {
  const { server, service } = scripted();
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  const { sequences } = SAMPLE.body;
  const scored = { body: { sequences, prompt_logprobs: [null, -1, -2] } };
  server.script("retrieve_future", scored, SAMPLE, SAMPLE);
  assert.deepEqual(await sampler.computeLogprobs(PROMPT), [null, -1, -2]);
  await assert.rejects(sampler.computeLogprobs(PROMPT), tinker.APIResponseValidationError);
  await sampler.sample(PROMPT, {}, { topkSampleLogprobs: 3 });
  const [first, , last] = server.sent("asample").map(({ body }) => body);
  assert.equal(first.prompt_logprobs, true);
  assert.equal(first.sampling_params.max_tokens, 1);
  assert.equal("topk_sample_logprobs" in first, false);
  assert.equal(last.topk_sample_logprobs, 3);
});

test("a sample is resubmitted at most twice", async () => {
  const { server, service } = scripted();
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  server.script("retrieve_future", ...Array<object>(3).fill({ status: 410 }), SAMPLE);
  await assert.rejects(sampler.sample(PROMPT), tinker.GoneError);
  assert.equal(server.sent("asample").length, 3);
});

test("create_sampling_session may return a future, but not an empty object", async () => {
  const { server, service } = scripted();
  server.script("create_sampling_session", { body: { request_id: 7 } }, { body: {} });
  server.script("retrieve_future", { body: { sampling_session_id: "late" } });
  const sampler = await service.createSamplingClient({ modelPath: "tinker://x/y" });
  assert.equal(sampler.samplingSessionId, "late");
  const empty = service.createSamplingClient({ baseModel: "base" });
  await assert.rejects(empty, tinker.APIResponseValidationError);
});

test("unnamed saved weights are sampled without opening a session", async () => {
  const { server, service } = scripted();
  const training = await service.createLoraTrainingClient("base");
  server.script("retrieve_future", { body: { sampling_session_id: "saved" } });
  const sampler = await training.saveWeightsAndGetSamplingClient();
  assert.equal(sampler.samplingSessionId, "saved");
  assert.equal(server.sent("create_sampling_session").length, 0);
});

test("invalid arguments raise before anything is sent", async () => {
  const { server, service } = scripted();
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  const before = server.requests.length;
  const where = (path: string) => ({ name: "InvalidInputError", where: path });
  for (const numSamples of [0, 1.5, NaN]) {
    assert.throws(() => sampler.sample(PROMPT, {}, { numSamples }), where("numSamples"));
  }
  assert.throws(() => sampler.sample(PROMPT, { top_p: NaN }), where("params.top_p"));
  assert.throws(() => sampler.sample(tinker.modelInput([-1])), where("prompt.chunks[0][0]"));
  assert.equal(server.requests.length, before);
});

test("a result with fewer sequences than requested is an error", async () => {
  const { server, service } = scripted();
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  server.script("retrieve_future", SAMPLE);
  const call = sampler.sample(PROMPT, {}, { numSamples: 2 });
  await assert.rejects(call, /expected 2 sequences, got 1/);
});

test("an aborted sample ends at once and is not polled again", async () => {
  const { server, service } = scripted();
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  const controller = new AbortController();
  server.script("retrieve_future", PENDING, () => {
    controller.abort();
    return PENDING;
  });
  const call = sampler.sample(PROMPT, {}, { signal: controller.signal });
  await assert.rejects(call, { name: "AbortError" });
  await settled();
  assert.equal(server.sent("retrieve_future").length, 2);
  await assert.rejects(sampler.sample(PROMPT, {}, { signal: controller.signal }));
  assert.equal(server.sent("asample").length, 1);
});

test("default parameters are those of the specification", async () => {
  const { server, service } = scripted();
  const training = await service.createLoraTrainingClient("base");
  await training.optimStep();
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  server.script("retrieve_future", SAMPLE);
  await sampler.sample(PROMPT);
  const [model, step, sample] = ["create_model", "optim_step", "asample"].map(
    (operation) => server.sent(operation)[0]?.body,
  );
  // The specification has no default rank; this one is that of 0.4.1.
  assert.deepEqual(model.lora_config, { rank: 32, ...defaultsOf("LoraConfig") });
  assert.deepEqual(step.adam_params, defaultsOf("AdamParams"));
  assert.deepEqual(sample.sampling_params, defaultsOf("SamplingParams"));
});

/** Returns the defaults of a type in the specification. */
function defaultsOf(type: string): Record<string, unknown> {
  const { schemas } = JSON.parse(readFileSync(SPECIFICATION, "utf8")).components;
  const fields = Object.entries<{ default?: unknown }>(schemas[type].properties);
  return Object.fromEntries(
    fields.flatMap(([name, field]) => (field.default === undefined ? [] : [[name, field.default]])),
  );
}
