/**
 * The driver of this client for `tinker-ext conformance`: reads a step per line from standard input,
 * starts it, and writes its result as a line when it has one. docs/conformance.md lists the steps.
 */

import { createInterface } from "node:readline";

import {
  APIStatusError,
  modelInput,
  SamplingClient,
  ServiceClient,
  tensor,
  TrainingClient,
  type Datum,
} from "../src/index.js";

/** A step; each kind has some of these fields. */
interface Step {
  readonly id: number;
  readonly service: string;
  readonly do: string;
  readonly on: string;
  readonly as: string;
  readonly base_url: string;
  readonly api_key: string;
  readonly base_model: string;
  readonly model_path?: string;
  readonly rank: number;
  readonly data: readonly Example[];
  readonly loss_fn: string;
  readonly learning_rate: number | string;
  readonly name: string;
  readonly path: string;
  readonly prompt: readonly number[];
  readonly max_tokens: number;
  readonly num_samples: number;
  readonly call: number;
}

interface Example {
  readonly tokens: readonly number[];
  readonly target_tokens: readonly number[];
  readonly weights: readonly number[];
}

class Unsupported extends Error {}

const services = new Map<string, ServiceClient>();
const trainers = new Map<string, TrainingClient>();
const samplers = new Map<string, SamplingClient>();
/** The samples in progress, by the id of their step. */
const samples = new Map<number, AbortController>();

/** Performs a step. All calls of a client start before the next line is read. */
async function perform(step: Step): Promise<unknown> {
  const handle = (name: string) => `${step.service} ${name}`;
  const service = () => found(services, step.service);
  const training = () => found(trainers, handle(step.on));
  switch (step.do) {
    case "open": {
      const settings = { baseUrl: step.base_url, apiKey: step.api_key };
      services.set(step.service, new ServiceClient(settings));
      return {};
    }
    case "get_server_capabilities":
      return { models: await service().getServerCapabilities() };
    case "create_training_client": {
      const lora = { rank: step.rank };
      const client = await service().createLoraTrainingClient(step.base_model, lora);
      trainers.set(handle(step.as), client);
      return {};
    }
    case "create_sampling_client": {
      const { model_path: modelPath, base_model: baseModel } = step;
      const source = modelPath === undefined ? { baseModel } : { modelPath };
      samplers.set(handle(step.as), await service().createSamplingClient(source));
      return {};
    }
    case "forward":
    case "forward_backward": {
      const client = training();
      const data = step.data.map(datumOf);
      const output = await (step.do === "forward"
        ? client.forward(data, step.loss_fn)
        : client.forwardBackward(data, step.loss_fn));
      const logprobs = output.lossFnOutputs.map(({ logprobs }) => logprobs?.data);
      return { logprobs, metrics: output.metrics };
    }
    case "optim_step":
      await training().optimStep({ learning_rate: Number(step.learning_rate) });
      return {};
    case "save_state":
      return { path: await training().saveState(step.name) };
    case "load_state":
      await training().loadState(step.path);
      return {};
    case "save_weights_for_sampler":
      return { path: await training().saveWeightsForSampler(step.name) };
    case "save_weights_and_get_sampling_client":
      samplers.set(handle(step.as), await training().saveWeightsAndGetSamplingClient());
      return {};
    case "sample": {
      const sampler = found(samplers, handle(step.on));
      const params = { max_tokens: step.max_tokens };
      const sample = new AbortController();
      samples.set(step.id, sample);
      const options = { numSamples: step.num_samples, signal: sample.signal };
      const { sequences } = await sampler.sample(modelInput(step.prompt), params, options);
      return { sequences };
    }
    case "cancel":
      samples.get(step.call)?.abort();
      return {};
    case "close":
      service().close();
      return {};
    default:
      throw new Unsupported(`the client has no ${step.do}`);
  }
}

function datumOf({ tokens, target_tokens, weights }: Example): Datum {
  const targets = tensor(target_tokens, "int64");
  return {
    model_input: modelInput(tokens),
    loss_fn_inputs: { target_tokens: targets, weights: tensor(weights, "float32") },
  };
}

function found<T>(clients: Map<string, T>, name: string): T {
  const client = clients.get(name);
  if (client === undefined) throw new Error(`there is no ${name}`);
  return client;
}

function write(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function respond(step: Step): Promise<void> {
  try {
    write({ id: step.id, ok: await perform(step) });
  } catch (error) {
    if (error instanceof Unsupported) return write({ id: step.id, unsupported: error.message });
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    const type = name === "AbortError" ? "cancelled" : name;
    const status = error instanceof APIStatusError ? error.status : null;
    write({ id: step.id, error: { type, message, status } });
  }
}

write({ client: "tinker-port (TypeScript)", protocols: ["0.4.1"] });
for await (const line of createInterface({ input: process.stdin })) {
  void respond(JSON.parse(line) as Step);
}
// Heartbeats and polls of open clients do not keep the process.
process.exit();
