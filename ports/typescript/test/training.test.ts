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

test("saved weights expire if the caller wants it", async () => {
  const { server, training: model } = await training();
  const [options, before] = [{ ttlSeconds: 60 }, server.requests.length];
  await model.saveState("a", options);
  await model.saveWeightsForSampler("b", options);
  assert.equal(await model.saveWeightsExternal("c", options), "tinker://x/y");
  await model.saveWeightsExternal("d");
  const sent = server.requests.slice(before).filter(({ body }) => body.seq_id);
  assert.deepEqual(
    sent.map(({ operation, body }) => [operation, body.path, body.ttl_seconds]),
    [
      ["save_weights", "a", 60],
      ["save_weights_for_sampler", "b", 60],
      ["save_weights_external", "c", 60],
      ["save_weights_external", "d", undefined],
    ],
  );
  const invalid = { name: "InvalidInputError", where: "ttlSeconds" };
  assert.throws(() => model.saveState("a", { ttlSeconds: 0 }), invalid);
});

test("a model is unloaded after its results, and then rejects calls", async () => {
  const { server, training: model } = await training();
  let respond = (_: Scripted) => {};
  server.script("retrieve_future", new Promise<Scripted>((resolve) => (respond = resolve)));
  const step = model.optimStep();
  server.script("unload_model", { status: 404 }, { body: { request_id: "u" } });
  const failed = model.unload();
  await settled();
  assert.equal(server.sent("unload_model").length, 0);
  assert.throws(() => model.optimStep(), tinker.ClientClosedError);
  respond({ body: { metrics: null } });
  await step;
  await assert.rejects(failed, tinker.NotFoundError);
  await model.optimStep(); // the model is still there
  await model.unload();
  assert.deepEqual(server.sent("unload_model")[1]?.body, {
    type: "unload_model",
    model_id: "model",
  });
  assert.throws(() => model.saveState("a"), tinker.ClientClosedError);
});

test("a model is described", async () => {
  const { server, training: model } = await training();
  server.script("get_info", { body: { model_id: "model", model_data: { model_name: "base" } } });
  assert.equal((await model.getInfo()).model_data.model_name, "base");
  assert.deepEqual(server.sent("get_info")[0]?.body, { type: "get_info", model_id: "model" });
});

test("a model is created like the saved one, with its metadata, and loads its state", async () => {
  for (const protocol of ["0.4.1", "0.38.0"] as const) {
    const { server, service } = scripted({ protocol });
    const path = "tinker://run/weights/a";
    const user_metadata = { kept: "1", replaced: "2" };
    const saved = { base_model: "base", lora_rank: 8, is_lora: true };
    server.script("training_runs/run", { body: { ...saved, user_metadata } });
    server.script("weights_info", { body: { ...saved, train_mlp: false, train_attn: null } });
    const client = await service.createTrainingClientFromState(path, {}, { replaced: "3" });
    assert.equal(client.modelId, "model");
    const [created] = server.sent("create_model");
    const old = protocol === "0.4.1";
    assert.equal(created?.body.base_model, "base");
    assert.deepEqual(created?.body.lora_config, {
      rank: 8,
      train_unembed: true,
      train_mlp: old,
      train_attn: true,
    });
    const metadata = old ? { kept: "1", replaced: "3" } : { replaced: "3" };
    assert.deepEqual(created?.body.user_metadata, metadata);
    assert.equal(server.sent("load_weights")[0]?.body.path, path);
  }
});

test("a model whose state can't be loaded is unloaded", async () => {
  const { server, service } = scripted();
  server.script("training_runs/run", { body: { base_model: "base" } });
  server.script("load_weights", { status: 404 });
  const call = service.createTrainingClientFromState("tinker://run/weights/a");
  await assert.rejects(call, tinker.NotFoundError);
  await settled();
  assert.equal(server.sent("unload_model").length, 1);
});
