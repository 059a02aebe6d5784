/** Custom losses: a forward pass, the user's function, and a cross-entropy of its gradients. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as tinker from "../src/index.js";
import { scripted } from "./support.js";

const DATA: tinker.Datum[] = [
  {
    model_input: tinker.modelInput([1, 2]),
    loss_fn_inputs: {
      target_tokens: tinker.tensor([2, 3], "int64"),
      weights: tinker.tensor([1, 0], "float32"),
      advantages: tinker.tensor([5, 6], "float32"),
    },
  },
  {
    model_input: tinker.modelInput([4]),
    loss_fn_inputs: { target_tokens: tinker.tensor([5], "int64") },
  },
];
const output = (...logprobs: number[][]) => ({
  body: {
    loss_fn_output_type: "x",
    loss_fn_outputs: logprobs.map((data) => ({ logprobs: tinker.tensor(data, "float32") })),
    metrics: { "loss:sum": 7, "n:sum": 3 },
  },
});

async function training() {
  const setup = scripted();
  return { ...setup, training: await setup.service.createLoraTrainingClient("base") };
}

/** The sum of squares. */
const squares: tinker.CustomLoss = (_, logprobs) => ({
  loss: logprobs.flat().reduce((sum, value) => sum + value * value, 0),
  gradients: logprobs.map((row) => row.map((value) => 2 * value)),
  metrics: { "mine:sum": 1 },
});

test("the weights of the second request are the negative gradients of the loss", async () => {
  const { server, training: model } = await training();
  server.script("retrieve_future", output([-1, -2], [-3]), output([-1, -2], [-3]));
  const { metrics } = await model.forwardBackwardCustom(DATA, squares);
  assert.deepEqual(metrics, { "surrogate_loss:sum": 7, "n:sum": 3, "loss:sum": 14, "mine:sum": 1 });
  const [first] = server.sent("forward").map(({ body }) => body);
  const [second] = server.sent("forward_backward").map(({ body }) => body);
  assert.deepEqual([first.seq_id, second.seq_id], [1, 2]);
  const targets = DATA.map(({ loss_fn_inputs }) => loss_fn_inputs["target_tokens"]);
  const inputs = (...weights: number[][]) =>
    weights.map((row, at) => ({
      model_input: DATA[at]?.model_input,
      loss_fn_inputs: { target_tokens: targets[at], weights: tinker.tensor(row, "float32") },
    }));
  assert.equal(first.forward_input.loss_fn, "cross_entropy");
  assert.deepEqual(first.forward_input.data, inputs([1, 0], [0]));
  assert.equal(second.forward_backward_input.loss_fn, "cross_entropy");
  assert.deepEqual(second.forward_backward_input.data, inputs([2, 4], [6]));
});

test("later calls are sent after both requests", async () => {
  const { server, training: model } = await training();
  server.script("retrieve_future", output([-1, -2], [-3]), output([-1, -2], [-3]));
  await Promise.all([
    model.forwardBackwardCustom(DATA, async (...values) => squares(...values)),
    model.optimStep(),
  ]);
  const order = server.requests.filter(({ body }) => body.seq_id);
  assert.deepEqual(
    order.map(({ operation, body }) => [operation, body.seq_id]),
    [
      ["forward", 1],
      ["forward_backward", 2],
      ["optim_step", 3],
    ],
  );
});

test("invalid gradients or an error of the function end the call, and use no seq_id", async () => {
  const { server, training: model } = await training();
  const invalid: [tinker.CustomLoss, object][] = [
    [() => ({ loss: 0, gradients: [[1, 2]] }), { where: "gradients" }],
    [() => ({ loss: 0, gradients: [[1, 2], []] }), { where: "gradients[1]" }],
    [() => ({ loss: 0, gradients: [[1, NaN], [1]] }), { where: "gradients[0][1]" }],
    [() => ({ loss: 0, gradients: [[1e300, 0], [1]] }), { where: "gradients[0][0]" }],
    [() => assert.fail("mine"), { message: "mine" }],
  ];
  for (const [loss, expected] of invalid) {
    server.script("retrieve_future", output([-1, -2], [-3]));
    await assert.rejects(model.forwardBackwardCustom(DATA, loss), expected);
  }
  assert.equal(server.sent("forward_backward").length, 0);
  await model.optimStep();
  assert.equal(server.sent("optim_step")[0]?.body.seq_id, invalid.length + 1);
});

test("a forward pass without a logprob for each target is an error", async () => {
  const { server, training: model } = await training();
  server.script("retrieve_future", output([-1], [-3]));
  await assert.rejects(model.forwardBackwardCustom(DATA, squares), /expected 2 logprobs, got 1/);
  assert.equal(server.sent("forward_backward").length, 0);
});
