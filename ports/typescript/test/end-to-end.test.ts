/** Trains and samples on a server that accepts release 0.4.1 only. */

import assert from "node:assert/strict";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import ts from "typescript";

import {
  modelInput,
  ServiceClient,
  tensor,
  UnprocessableEntityError,
  type CustomLoss,
  type Datum,
} from "../src/index.js";
import { REAL_CLOCK } from "../src/retrying.js";

// `make port` sets the path of this checkout.
const PROGRAM = process.env["TINKER_EXT"] ?? "tinker-ext";
const TOKENS = [...Buffer.from("The quick brown fox jumps over the lazy dog.")];
const LIMIT = { timeout: 60_000 };

let server: ChildProcess;
let url: string;
const rejected: string[] = [];
const beats: number[] = [];

before(async () => {
  server = spawn(PROGRAM, ["serve", "--port", "0", "--protocol", "0.4.1"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.once("exit", () => server.kill());
  assert.ok(server.stdout);
  const lines = createInterface(server.stdout);
  const exited = once(server, "exit").then(() => assert.fail(`${PROGRAM} serve did not start`));
  const [line] = await Promise.race([once(lines, "line"), exited]);
  url = JSON.parse(line).url;
}, LIMIT);

after(async () => {
  server.kill("SIGINT");
  await once(server, "exit");
}, LIMIT);

/** Records rejected requests; a rejected heartbeat is not visible otherwise. */
async function recordingFetch(request: Request): Promise<Response> {
  const response = await fetch(request);
  if (request.url.endsWith("/session_heartbeat")) beats.push(response.status);
  if (response.status >= 400) rejected.push(`${response.status} ${new URL(request.url).pathname}`);
  return response;
}

/** Sends heartbeats a hundred times as often. */
const heart = {
  ...REAL_CLOCK,
  sleep: (seconds: number, idle?: boolean) => REAL_CLOCK.sleep(seconds / 100, idle),
};

function connect(): ServiceClient {
  return new ServiceClient({ baseUrl: url, apiKey: "tml-any", fetch: recordingFetch, heart });
}

function datum(): Datum {
  const weights = TOKENS.slice(1).map(() => 1);
  return {
    model_input: modelInput(TOKENS.slice(0, -1)),
    loss_fn_inputs: {
      target_tokens: tensor(TOKENS.slice(1), "int64"),
      weights: tensor(weights, "float32"),
    },
  };
}

test("training lowers the loss, and the trained weights are sampled", LIMIT, async () => {
  const service = connect();
  const [base] = await service.getServerCapabilities();
  assert.ok(base);
  const training = await service.createLoraTrainingClient(base, { rank: 8, seed: 1 });

  const steps = Array.from({ length: 8 }, () => {
    const step = training.forwardBackward([datum()], "cross_entropy");
    return [step, training.optimStep({ learning_rate: 2e-2 })] as const;
  });
  const losses: number[] = [];
  for (const [step, update] of steps) {
    losses.push((await step).metrics["loss:sum"] ?? NaN);
    await update;
  }
  const [first = NaN, last = NaN] = [losses[0], losses.at(-1)];
  assert.ok(last < 0.5 * first, `the losses: ${losses}`);

  const sampler = await training.saveWeightsAndGetSamplingClient();
  const greedy = { max_tokens: 4, temperature: 0 };
  const prompt = modelInput(TOKENS.slice(0, 20));
  const { sequences } = await sampler.sample(prompt, greedy, { numSamples: 2 });
  assert.deepEqual(
    sequences.map(({ tokens }) => tokens?.length),
    [4, 4],
  );

  const path = await training.saveWeightsForSampler("trained");
  const other = await service.createSamplingClient({ modelPath: path });
  const repeated = await other.sample(prompt, greedy, { promptLogprobs: true });
  assert.deepEqual(repeated.sequences[0]?.tokens, sequences[0]?.tokens);
  assert.equal(repeated.prompt_logprobs?.length, 20);
  assert.match(await training.saveState("state"), /^tinker:\/\//);
  while (beats.length === 0) await REAL_CLOCK.sleep(0.05);
  service.close();
});

test("the loss of a batch in several requests is that of all datums", LIMIT, async () => {
  const service = connect();
  const training = await service.createLoraTrainingClient("embedded/tiny", { rank: 4 });
  const single = await training.forward([datum()], "cross_entropy");
  const many = await training.forward(Array<Datum>(130).fill(datum()), "cross_entropy");
  assert.equal(many.lossFnOutputs.length, 130);
  const [loss = NaN, sum = NaN] = [single.metrics["loss:sum"], many.metrics["loss:sum"]];
  assert.ok(Math.abs(sum - 130 * loss) < 1e-3 * sum, `${sum} for 130 times ${loss}`);
  service.close();
});

test("a custom loss has the gradients of the built-in loss that it equals", LIMIT, async () => {
  const service = connect();
  // The negative sum of the logprobs, as cross_entropy with weights of 1.
  const negative: CustomLoss = (_, logprobs) => ({
    loss: -logprobs.flat().reduce((a, b) => a + b, 0),
    gradients: logprobs.map((row) => row.map(() => -1)),
  });
  const losses = [];
  for (const isCustom of [false, true]) {
    const training = await service.createLoraTrainingClient("embedded/tiny", { rank: 4, seed: 1 });
    const data = [datum()];
    const pass = isCustom
      ? training.forwardBackwardCustom(data, negative)
      : training.forwardBackward(data, "cross_entropy");
    const update = training.optimStep({ learning_rate: 1e-2 });
    const after = training.forward(data, "cross_entropy");
    await update;
    losses.push([(await pass).metrics["loss:sum"], (await after).metrics["loss:sum"]]);
  }
  const [[before = NaN, trained = NaN] = [], custom = []] = losses;
  assert.ok(trained < before);
  for (const [at, expected] of [before, trained].entries()) {
    assert.ok(Math.abs((custom[at] ?? NaN) - expected) < 1e-3 * expected, `${losses}`);
  }
  service.close();
});

test("a saved state continues in a new client with the same loss", LIMIT, async () => {
  const service = connect();
  const training = await service.createLoraTrainingClient("embedded/tiny", { rank: 4 });
  const step = training.forwardBackward([datum()], "cross_entropy");
  await Promise.all([step, training.optimStep({ learning_rate: 1e-2 })]);
  const path = await training.saveState("resumed");
  const expected = await training.forward([datum()], "cross_entropy");
  await training.unload();
  const resumed = await service.createTrainingClientFromState(path);
  assert.equal((await resumed.getInfo()).lora_rank, 4);
  const { metrics } = await resumed.forward([datum()], "cross_entropy");
  assert.equal(metrics["loss:sum"], expected.metrics["loss:sum"]);
  const sampler = await resumed.saveWeightsAndGetSamplingClient();
  const logprobs = await sampler.computeLogprobs(modelInput(TOKENS));
  assert.deepEqual([logprobs.length, logprobs[0]], [TOKENS.length, null]);
  await service.close();
});

test("checkpoints are listed, published, and deleted", LIMIT, async () => {
  const service = connect();
  const training = await service.createLoraTrainingClient("embedded/tiny", { rank: 4 });
  const path = await training.saveWeightsForSampler("listed");
  const rest = service.createRestClient();
  const run = /^tinker:\/\/([^/]+)\//.exec(path)?.[1] ?? "";
  const { training_runs: runs } = await rest.listTrainingRuns({ limit: 100 });
  assert.ok(runs?.some(({ training_run_id: id }) => id === run));
  assert.equal((await rest.getTrainingRun(run)).base_model, "embedded/tiny");
  const isPublic = async () =>
    (await rest.listCheckpoints(run)).map((listed) => [listed.tinker_path, listed.public]);
  await rest.publishCheckpoint(path);
  assert.deepEqual(await isPublic(), [[path, true]]);
  await rest.unpublishCheckpoint(path);
  assert.deepEqual(await isPublic(), [[path, false]]);
  const { url: archive, expires } = await rest.getCheckpointArchiveUrl(path);
  assert.ok(archive.startsWith(url) && expires.getTime() > Date.now(), archive);
  const { checkpoints } = await rest.listUserCheckpoints();
  assert.ok(checkpoints?.some(({ tinker_path }) => tinker_path === path));
  await rest.deleteCheckpoint(path);
  assert.deepEqual(await rest.listCheckpoints(run), []);
  service.close();
});

test("the strict server rejected no request", () => {
  assert.deepEqual([rejected, [...new Set(beats)]], [[], [200]]);
});

test("the strict server rejects a field of a later release", LIMIT, async () => {
  const service = new ServiceClient({ baseUrl: url, apiKey: "tml-any" });
  const training = await service.createLoraTrainingClient("embedded/tiny", { rank: 4 });
  await assert.rejects(training.optimStep({ weight_decay: 0.1 }), UnprocessableEntityError);
  await training.optimStep();
  service.close();
});

test("the example of ports/README.md runs", LIMIT, async () => {
  const page = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const code = /```ts\n(.*?)```/s.exec(page)?.[1]?.replace("http://127.0.0.1:8765", url);
  assert.ok(code);
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  // Inside the package, so that it can import the package by name.
  const program = fileURLToPath(new URL("../example.js", import.meta.url));
  writeFileSync(program, ts.transpileModule(code, { compilerOptions }).outputText);
  const { stdout } = await promisify(execFile)(process.execPath, [program]);
  assert.equal(stdout.match(/loss:sum/g)?.length, 10);
});
