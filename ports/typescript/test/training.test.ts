/** One model's requests: their order, their numbers, batches of several. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as tinker from "../src/index.js";
import { scripted, settled, type Scripted } from "./support.js";

const DATUM: tinker.Datum = {
  model_input: tinker.modelInput([1, 2]),
  loss_fn_inputs: { target_tokens: tinker.tensor([2, 3], "int64") },
};

async function training() {
  const all = scripted();
  return { ...all, training: await all.service.createLoraTrainingClient("base", { rank: 8 }) };
}

test("requests are sent in the order of the calls, each when the one before was answered", async () => {
  const { server, training: model } = await training();
  let answer = (_: Scripted) => {};
  server.script("optim_step", new Promise<Scripted>((resolve) => (answer = resolve)));
  const calls = [model.optimStep(), model.saveState("a"), model.optimStep()];
  await settled();
  assert.equal(server.sent("optim_step").length, 1);
  assert.equal(server.sent("save_weights").length, 0);
  answer({ body: { request_id: "first" } });
  await Promise.all(calls);
  const order = server.seen.filter(({ body }) => body.seq_id).map(({ operation }) => operation);
  assert.deepEqual(order, ["optim_step", "save_weights", "optim_step"]);
});

test("results are awaited apart", async () => {
  const { server, training: model } = await training();
  let answer = (_: Scripted) => {};
  server.script("retrieve_future", new Promise<Scripted>((resolve) => (answer = resolve)));
  const slow = model.optimStep();
  assert.equal(await model.saveState("a"), "tinker://x/y");
  answer({ body: { metrics: { lr: 1 } } });
  assert.deepEqual(await slow, { metrics: { lr: 1 } });
});

test("a refused number is used again, one whose answer was lost is not", async () => {
  const { server, training: model } = await training();
  const lost = { status: 502, headers: { "x-should-retry": "false" } };
  server.script("optim_step", { status: 422 }, {}, lost);
  server.script("optim_step", { body: { request_id: "a" } });
  const calls = [model.optimStep(), model.saveState("a"), model.optimStep(), model.optimStep()];
  const [refused, , broken] = await Promise.allSettled(calls);
  assert.equal(refused?.status, "rejected");
  assert.equal(broken?.status, "rejected");
  const numbers = server.seen.filter(({ body }) => body.seq_id).map(({ body }) => body.seq_id);
  assert.deepEqual(numbers, [1, 1, 2, 2, 3]);
});

test("a large batch is several requests, and one result", async () => {
  const { server, training: model } = await training();
  const outputs = (count: number) => ({
    body: {
      loss_fn_output_type: "scalar",
      loss_fn_outputs: Array<object>(count).fill({}),
      metrics: { "loss:mean": count === 2 ? NaN : 1, "n:sum": count, "h:hash2": 1 },
    },
  });
  const second = JSON.stringify(outputs(2).body).replace("null", "NaN");
  server.script("retrieve_future", outputs(128), { body: second });
  const data = Array<tinker.Datum>(130).fill(DATUM);
  const future = model.forwardBackward(data, "cross_entropy");
  data.length = 0; // what the caller does with it afterwards is none of the request's
  const { lossFnOutputs, metrics } = await future;
  const sent = server.sent("forward_backward").map(({ body }) => body);
  assert.deepEqual(
    sent.map(({ seq_id }) => seq_id),
    [1, 2],
  );
  assert.deepEqual(
    sent.map(({ forward_backward_input }) => forward_backward_input.data.length),
    [128, 2],
  );
  assert.equal(lossFnOutputs.length, 130);
  assert.deepEqual(metrics, { "loss:mean": NaN, "n:sum": 130, "h:hash2": 2 });
});

test("a failure that nobody waits for yet does not end the program", async () => {
  const { server, training: model } = await training();
  server.script("optim_step", { status: 400 });
  const failed = model.optimStep();
  await model.optimStep();
  await settled();
  await assert.rejects(failed, tinker.BadRequestError);
});

test("what can't be sent is refused at once, and takes no number", async () => {
  const { server, training: model } = await training();
  const bad = (change: Partial<tinker.Datum>) => () =>
    model.forward([DATUM, { ...DATUM, ...change }], "cross_entropy");
  const where = (path: string) => ({ name: "InvalidInputError", where: path });
  const weights = tinker.tensor([1, NaN], "float32");
  assert.throws(() => model.forward([], "cross_entropy"), where("data"));
  assert.throws(bad({ model_input: tinker.modelInput([]) }), where("data[1].model_input"));
  assert.throws(
    bad({ model_input: tinker.modelInput([1, 2.5]) }),
    where("data[1].model_input.chunks[0][1]"),
  );
  assert.throws(bad({ loss_fn_inputs: { weights } }), where("data[1].loss_fn_inputs.weights[1]"));
  const target_tokens = tinker.tensor([0.5, 1], "int64");
  const shaped = { ...tinker.tensor([1, 2], "float32"), shape: [3] };
  assert.throws(
    bad({ loss_fn_inputs: { target_tokens } }),
    where("data[1].loss_fn_inputs.target_tokens[0]"),
  );
  assert.throws(bad({ loss_fn_inputs: { shaped } }), where("data[1].loss_fn_inputs.shaped"));
  assert.throws(() => model.optimStep({ learning_rate: NaN }), where("params.learning_rate"));
  assert.throws(() => model.forward([DATUM], "ppo", { clip: Infinity }), where("config.clip"));
  assert.throws(() => new tinker.ServiceClient({ baseUrl: "", apiKey: "x" }), where("baseUrl"));
  await model.optimStep();
  assert.deepEqual(
    server.sent("optim_step").map(({ body }) => body.seq_id),
    [1],
  );
});
