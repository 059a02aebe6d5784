/** The steps of the driver protocol, performed with this client (docs/conformance.md). */

import {
  modelInput,
  SamplingClient,
  ServiceClient,
  tensor,
  TrainingClient,
  type Datum,
} from "../src/index.js";

/** A step; each kind has some of these fields. */
export interface Step {
  readonly id: number;
  readonly service: string;
  readonly do: string;
  readonly on: string;
  readonly as: string;
  readonly base_url: string;
  readonly api_key: string;
  readonly protocol: "0.4.1" | "0.38.0";
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

export class Unsupported extends Error {}

export const services = new Map<string, ServiceClient>();
const trainers = new Map<string, TrainingClient>();
const samplers = new Map<string, SamplingClient>();
/** The samples in progress, by the id of their step. */
const samples = new Map<number, AbortController>();

/** Performs a step. All calls of a client start before the next line is read. */
export async function perform(step: Step): Promise<unknown> {
  const handle = (name: string) => `${step.service} ${name}`;
  const service = () => found(services, step.service);
  const training = () => found(trainers, handle(step.on));
  switch (step.do) {
    case "open": {
      const { base_url: baseUrl, api_key: apiKey, protocol } = step;
      const settings = { baseUrl, apiKey, protocol };
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
