/** Samples, sampling sessions, and what is sent where the user says nothing. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as tinker from "../src/index.js";
import { scripted, SPECIFICATION } from "./support.js";

const PROMPT = tinker.modelInput([1, 2, 3]);
const SAMPLE = { body: { sequences: [] } };

test("samples are counted from 0, and ask to be refused rather than queued", async () => {
  const { server, service } = scripted();
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  server.script("retrieve_future", SAMPLE, SAMPLE);
  await Promise.all([sampler.sample(PROMPT), sampler.sample(PROMPT, {}, { numSamples: 4 })]);
  const sent = server.sent("asample");
  const told = sent.map(({ body }) => [body.sampling_session_id, body.seq_id, body.num_samples]);
  assert.deepEqual(told, [
    ["sampling", 0, 1],
    ["sampling", 1, 4],
  ]);
  assert.equal(sent[0]?.headers.get("x-tinker-sampling-backpressure"), "1");
});

test("a sample is made anew twice, and no oftener", async () => {
  const { server, service } = scripted();
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  server.script("retrieve_future", ...Array<object>(3).fill({ status: 410 }), SAMPLE);
  await assert.rejects(sampler.sample(PROMPT), tinker.GoneError);
  assert.equal(server.sent("asample").length, 3);
});

test("a sampling session may be answered with a future, and has to be answered with something", async () => {
  const { server, service } = scripted();
  server.script("create_sampling_session", { body: { request_id: 7 } }, { body: {} });
  server.script("retrieve_future", { body: { sampling_session_id: "late" } });
  const sampler = await service.createSamplingClient({ modelPath: "tinker://x/y" });
  assert.equal(sampler.samplingSessionId, "late");
  const nothing = service.createSamplingClient({ baseModel: "base" });
  await assert.rejects(nothing, tinker.APIResponseValidationError);
});

test("weights that were saved without a name are sampled from where they are", async () => {
  const { server, service } = scripted();
  const training = await service.createLoraTrainingClient("base");
  server.script("retrieve_future", { body: { sampling_session_id: "made" } });
  const sampler = await training.saveWeightsAndGetSamplingClient();
  assert.equal(sampler.samplingSessionId, "made");
  assert.equal(server.sent("create_sampling_session").length, 0);
});

test("a wish that can't be is refused at once", async () => {
  const { server, service } = scripted();
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  const sent = server.seen.length;
  const where = (path: string) => ({ name: "InvalidInputError", where: path });
  for (const numSamples of [0, 1.5, NaN]) {
    assert.throws(() => sampler.sample(PROMPT, {}, { numSamples }), where("numSamples"));
  }
  assert.throws(() => sampler.sample(PROMPT, { top_p: NaN }), where("params.top_p"));
  assert.throws(() => sampler.sample(tinker.modelInput([-1])), where("prompt.chunks[0][0]"));
  assert.equal(server.seen.length, sent);
});

test("what is sent where nothing is said is the specification's", async () => {
  const { server, service } = scripted();
  const training = await service.createLoraTrainingClient("base");
  await training.optimStep();
  const sampler = await service.createSamplingClient({ baseModel: "base" });
  server.script("retrieve_future", SAMPLE);
  await sampler.sample(PROMPT);
  const [model, step, sample] = ["create_model", "optim_step", "asample"].map(
    (operation) => server.sent(operation)[0]?.body,
  );
  // The rank has no default there; this one is 0.4.1's.
  assert.deepEqual(model.lora_config, { rank: 32, ...defaultsOf("LoraConfig") });
  assert.deepEqual(step.adam_params, defaultsOf("AdamParams"));
  assert.deepEqual(sample.sampling_params, defaultsOf("SamplingParams"));
});

/** The fields of a type that have a default in the specification. */
function defaultsOf(type: string): Record<string, unknown> {
  const { schemas } = JSON.parse(readFileSync(SPECIFICATION, "utf8")).components;
  const fields = Object.entries<{ default?: unknown }>(schemas[type].properties);
  return Object.fromEntries(
    fields.flatMap(([name, field]) => (field.default === undefined ? [] : [[name, field.default]])),
  );
}
