/** The requests of a model: order, sequence numbers, batches of several requests. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as tinker from "../src/index.js";
import { scripted, settled, type Scripted } from "./support.js";

const DATUM: tinker.Datum = {
  model_input: tinker.modelInput([1, 2]),
  loss_fn_inputs: { target_tokens: tinker.tensor([2, 3], "int64") },
};

async function training() {
  const setup = scripted();
  return { ...setup, training: await setup.service.createLoraTrainingClient("base", { rank: 8 }) };
}

test("requests are sent in the order of the calls, each after the response to the previous one", async () => {
  const { server, training: model } = await training();
  let respond = (_: Scripted) => {};
  server.script("optim_step", new Promise<Scripted>((resolve) => (respond = resolve)));
  const calls = [model.optimStep(), model.saveState("a"), model.optimStep()];
  await settled();
  assert.equal(server.sent("optim_step").length, 1);
  assert.equal(server.sent("save_weights").length, 0);
  respond({ body: { request_id: "first" } });
  await Promise.all(calls);
  const order = server.requests.filter(({ body }) => body.seq_id).map(({ operation }) => operation);
  assert.deepEqual(order, ["optim_step", "save_weights", "optim_step"]);
});

test("results are awaited independently", async () => {
  const { server, training: model } = await training();
  let respond = (_: Scripted) => {};
  server.script("retrieve_future", new Promise<Scripted>((resolve) => (respond = resolve)));
  const slow = model.optimStep();
  assert.equal(await model.saveState("a"), "tinker://x/y");
  respond({ body: { metrics: { lr: 1 } } });
  assert.deepEqual(await slow, { metrics: { lr: 1 } });
});

test("a rejected seq_id is reused, one whose response was lost is not", async () => {
  const { server, training: model } = await training();
  const lost = { status: 502, headers: { "x-should-retry": "false" } };
  server.script("optim_step", { status: 422 }, {}, lost);
  server.script("optim_step", { body: { request_id: "a" } });
  const calls = [model.optimStep(), model.saveState("a"), model.optimStep(), model.optimStep()];
  const [rejected, , failed] = await Promise.allSettled(calls);
  assert.equal(rejected?.status, "rejected");
  assert.equal(failed?.status, "rejected");
  const numbers = server.requests.filter(({ body }) => body.seq_id).map(({ body }) => body.seq_id);
  assert.deepEqual(numbers, [1, 1, 2, 2, 3]);
});

test("a large batch is sent in several requests and has one result", async () => {
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
  data.length = 0; // changes after the call do not affect the request
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

test("a result with fewer outputs than datums is an error", async () => {
  const { server, training: model } = await training();
  server.script("retrieve_future", { body: { loss_fn_outputs: [{}], metrics: {} } });
  const call = model.forward([DATUM, DATUM], "cross_entropy");
  await assert.rejects(call, /1 outputs for 2 datums/);
});

test("load_weights has the path and the next seq_id", async () => {
  const { server, training: model } = await training();
  await model.optimStep();
  assert.equal(await model.loadState("tinker://x/y"), "tinker://x/y");
  const [{ body } = { body: null }] = server.sent("load_weights");
  assert.deepEqual(body, {
    type: "load_weights",
    model_id: "model",
    path: "tinker://x/y",
    seq_id: 2,
  });
});

test("a failure that is not awaited yet does not end the process", async () => {
  const { server, training: model } = await training();
  server.script("optim_step", { status: 400 });
  const failed = model.optimStep();
  await model.optimStep();
  await settled();
  await assert.rejects(failed, tinker.BadRequestError);
});

test("invalid inputs raise at once and use no seq_id", async () => {
  const { server, training: model } = await training();
  const invalid = (change: Partial<tinker.Datum>) => () =>
    model.forward([DATUM, { ...DATUM, ...change }], "cross_entropy");
  const where = (path: string) => ({ name: "InvalidInputError", where: path });
  const weights = tinker.tensor([1, NaN], "float32");
  assert.throws(() => model.forward([], "cross_entropy"), where("data"));
  assert.throws(invalid({ model_input: tinker.modelInput([]) }), where("data[1].model_input"));
  assert.throws(
    invalid({ model_input: tinker.modelInput([1, 2.5]) }),
    where("data[1].model_input.chunks[0][1]"),
  );
  assert.throws(
    invalid({ loss_fn_inputs: { weights } }),
    where("data[1].loss_fn_inputs.weights[1]"),
  );
  const target_tokens = tinker.tensor([0.5, 1], "int64");
  const shaped = { ...tinker.tensor([1, 2], "float32"), shape: [3] };
  assert.throws(
    invalid({ loss_fn_inputs: { target_tokens } }),
    where("data[1].loss_fn_inputs.target_tokens[0]"),
  );
  assert.throws(invalid({ loss_fn_inputs: { shaped } }), where("data[1].loss_fn_inputs.shaped"));
  const targets = tinker.tensor([2, 3], "int64");
  const short = { target_tokens: targets, weights: tinker.tensor([1], "float32") };
  assert.throws(invalid({ loss_fn_inputs: short }), where("data[1].loss_fn_inputs.weights"));
  assert.throws(
    invalid({ loss_fn_inputs: { target_tokens: tinker.tensor([2], "int64") } }),
    where("data[1].loss_fn_inputs.target_tokens"),
  );
  assert.throws(invalid({ loss_fn_inputs: {} }), where("data[1].loss_fn_inputs"));
  assert.throws(() => model.optimStep({ learning_rate: NaN }), where("params.learning_rate"));
  assert.throws(() => model.forward([DATUM], "ppo", { clip: Infinity }), where("config.clip"));
  assert.throws(() => new tinker.ServiceClient({ baseUrl: "", apiKey: "x" }), where("baseUrl"));
  await model.optimStep();
  assert.deepEqual(
    server.sent("optim_step").map(({ body }) => body.seq_id),
    [1],
  );
});
