/** Trains a model. Calls are submitted in the order in which they are made. */

import {
  forwardData,
  logprobsOf,
  surrogateData,
  withLoss,
  type CustomLoss,
  type CustomLossValue,
} from "./custom.js";
import { future, idOf, missing, type Core } from "./core.js";
import { APIResponseValidationError, InvalidInputError } from "./errors.js";
import type { Schemas } from "./gateway.js";
import { checkData, checkNumbers, type Datum } from "./inputs.js";
import { OrderedRequests, type ChunkRequest } from "./ordered.js";
import { combineOutputs, sizeOf, split, type ChunkOutput } from "./rules/batches.js";
import { encodeLossRequest } from "./protobuf.js";
import { datumBytes } from "./rules/limits.js";
import type { Fields } from "./rules/redaction.js";
import { openSamplingSession, SamplingClient } from "./sampling.js";

type AdamParams = Schemas["AdamParams"];
type LoadWeights = Schemas["LoadWeightsRequest"];
type LossFnConfig = Schemas["LossFnConfig"];
type LossFnOutput = Schemas["LossFnOutput"];

type Pass = "forward" | "forward_backward";

export interface SaveOptions {
  /** The checkpoint expires in so many seconds from now; by default never. */
  readonly ttlSeconds?: number;
}

export interface ForwardBackwardOutput {
  readonly lossFnOutputType: string;
  /** One entry per datum, in their order. */
  readonly lossFnOutputs: LossFnOutput[];
  /** Reduced over all requests; hashes are rounded to a float, as in 0.4.1. */
  readonly metrics: Record<string, number>;
}

/** The defaults of 0.4.1. */
const ADAM: AdamParams = { learning_rate: 1e-4, beta1: 0.9, beta2: 0.95, eps: 1e-12 };

export class TrainingClient {
  readonly #core: Core;
  readonly #requests: OrderedRequests;

  constructor(
    core: Core,
    readonly modelId: string,
  ) {
    this.#core = core;
    this.#requests = new OrderedRequests(core);
  }

  /** Computes the loss of `data` without gradients. */
  forward(data: readonly Datum[], loss: string, config?: LossFnConfig) {
    return this.#pass("forward", data, loss, config);
  }

  /** Computes the loss of `data` and accumulates its gradients for `optimStep`. */
  forwardBackward(data: readonly Datum[], loss: string, config?: LossFnConfig) {
    return this.#pass("forward_backward", data, loss, config);
  }

  /**
   * As `forwardBackward`, with your own loss over the logprobs of the target tokens.
   *
   * `forward` returns the logprobs; then `forward_backward` with `cross_entropy` and the negative
   * gradients of your loss as weights accumulates its gradients. Both requests take their place in
   * the order at the call; later ones are sent after them. `loss:sum` in the metrics is your loss.
   */
  forwardBackwardCustom(data: readonly Datum[], loss: CustomLoss): Promise<ForwardBackwardOutput> {
    checkData(data, "cross_entropy");
    const copy = structuredClone([...data]);
    const forward = this.#start("forward", async () => forwardData(copy), "cross_entropy");
    let value: CustomLossValue | undefined;
    const surrogate = async () => {
      const logprobs = logprobsOf(copy, await forward);
      value = await loss(copy, logprobs);
      return surrogateData(copy, value.gradients);
    };
    const output = this.#start("forward_backward", surrogate, "cross_entropy");
    return future(output.then((result) => (value ? withLoss(result, value) : result)));
  }

  /** Applies the accumulated gradients in one Adam step, with the defaults of 0.4.1. */
  optimStep(params: Partial<AdamParams> = {}): Promise<Schemas["OptimStepResponse"]> {
    const adam_params = checkNumbers({ ...ADAM, ...params }, "params");
    const request: ChunkRequest = (seq_id) => (api, options) => {
      const body = { type: "optim_step", adam_params, model_id: this.modelId, seq_id } as const;
      return api.POST("/api/v1/optim_step", { ...options, body });
    };
    return this.#requests.start("optim_step", [request], ([body]) => body ?? {});
  }

  /** Saves weights and optimizer state under a name and returns the path to resume from. */
  saveState(name: string, options: SaveOptions = {}): Promise<string> {
    const ttl = ttlOf(options);
    const request: ChunkRequest = (seq_id) => (api, options) => {
      const type = "save_weights" as const;
      const body = { type, model_id: this.modelId, path: name, seq_id, ...ttl };
      return api.POST("/api/v1/save_weights", { ...options, body });
    };
    return this.#requests.start("save_weights", [request], pathOf("save_weights"));
  }

  /** Loads weights and optimizer state from a path that `saveState` returned. */
  loadState(path: string): Promise<string> {
    const request: ChunkRequest = (seq_id) => (api, options) => {
      // Release 0.4.1 loads the optimizer state too; later ones have a required field for it.
      const optimizer = this.#core.usesProtobuf ? { optimizer: true } : {};
      const type = "load_weights" as const;
      const body = { type, model_id: this.modelId, path, seq_id, ...optimizer };
      return api.POST("/api/v1/load_weights", { ...options, body: body as LoadWeights });
    };
    return this.#requests.start("load_weights", [request], pathOf("load_weights"));
  }

  /** Saves the weights for sampling under a name and returns the path to sample from. */
  saveWeightsForSampler(name: string, options: SaveOptions = {}): Promise<string> {
    const request = this.#saveForSampler({ path: name, ...ttlOf(options) });
    const operation = "save_weights_for_sampler";
    return this.#requests.start(operation, [request], pathOf(operation));
  }

  /** Saves the weights as files to download, and returns the path of `getExternalWeightsUrls`. */
  saveWeightsExternal(name: string, options: SaveOptions = {}): Promise<string> {
    const [operation, ttl] = ["save_weights_external" as const, ttlOf(options)];
    const request: ChunkRequest = (seq_id) => (api, options) => {
      const body = { type: operation, model_id: this.modelId, path: name, seq_id, ...ttl };
      return api.POST("/api/v1/save_weights_external", { ...options, body });
    };
    return this.#requests.start(operation, [request], pathOf(operation));
  }

  /** Describes the model: its base model, adapter and tokenizer. */
  async getInfo(): Promise<Schemas["GetInfoResponse"]> {
    const body = { type: "get_info" as const, model_id: this.modelId };
    return this.#core.call("get_info", (api, options) =>
      api.POST("/api/v1/get_info", { ...options, body }),
    );
  }

  /**
   * Unloads the model from the server's memory, after all earlier calls have their results; saved
   * weights are kept. Later calls fail. Release 0.38.0 has no such operation.
   */
  unload(): Promise<void> {
    const operation = "unload_model";
    const body = { type: operation, model_id: this.modelId } as const;
    return this.#requests.end(async () => {
      const requestId = await this.#core.submit(operation, (api, options) =>
        api.POST("/api/v1/unload_model", { ...options, body }),
      );
      await this.#core.result(requestId, operation);
    });
  }

  /** Returns a client that samples from the weights after all calls made so far. */
  saveWeightsAndGetSamplingClient(): Promise<SamplingClient> {
    const operation = "save_weights_for_sampler";
    const request = this.#saveForSampler({
      sampling_session_seq_id: this.#core.session.nextSampling(),
    });
    const saved = this.#requests.start(operation, [request], ([body]) => body ?? {});
    return future(saved.then((body) => this.#samplerOf(body)));
  }

  #saveForSampler(
    where: { path: string; ttl_seconds?: number } | { sampling_session_seq_id: number },
  ): ChunkRequest {
    return (seq_id) => (api, options) => {
      const type = "save_weights_for_sampler" as const;
      const body = { type, model_id: this.modelId, seq_id, ...where };
      return api.POST("/api/v1/save_weights_for_sampler", { ...options, body });
    };
  }

  async #samplerOf(saved: Fields): Promise<SamplingClient> {
    const { sampling_session_id: id, path } = saved;
    if (typeof path === "string") {
      // Some servers name every checkpoint.
      return new SamplingClient(
        this.#core,
        await openSamplingSession(this.#core, { model_path: path }),
      );
    }
    return new SamplingClient(
      this.#core,
      idOf(id, "sampling_session_id", "save_weights_for_sampler"),
    );
  }

  #pass(
    operation: Pass,
    data: readonly Datum[],
    loss: string,
    config: LossFnConfig | undefined,
  ): Promise<ForwardBackwardOutput> {
    checkData(data, loss);
    const checked = config ? checkNumbers(config, "config") : null;
    // Copied, because the caller may change it before it is sent.
    const copy = structuredClone([...data]);
    return this.#start(operation, async () => copy, loss, checked);
  }

  /** Takes a turn; `dataOf` is called when it comes. */
  #start(
    operation: Pass,
    dataOf: () => Promise<Datum[]>,
    loss_fn: string,
    loss_fn_config: LossFnConfig | null = null,
  ): Promise<ForwardBackwardOutput> {
    let counts: number[] = [];
    const requests = async () => {
      const data = await dataOf();
      const { fwdbwd_max_chunk_len: limit } = await this.#core.flags();
      const runs = split(data.map(sizeOf), typeof limit === "number" ? limit : undefined);
      const chunks = runs.map(([first, end]) => data.slice(first, end));
      counts = chunks.map((chunk) => chunk.length);
      return chunks.map((data) => {
        const size = data.map(datumBytes).reduce((a, b) => a + b, 0);
        const request = this.#requestOf(operation, { data, loss_fn, loss_fn_config });
        return Object.assign(request, { size });
      });
    };
    return this.#requests.start(operation, requests, (bodies) =>
      combined(operation, bodies, counts),
    );
  }

  #requestOf(operation: Pass, input: Schemas["ForwardBackwardInput"]): ChunkRequest {
    return (seq_id) => {
      const isForward = operation === "forward";
      const { modelId: model_id } = this;
      if (this.#core.usesProtobuf) return encodeLossRequest(model_id, seq_id, input, isForward);
      if (isForward) {
        const body = { forward_input: input, model_id, seq_id };
        return (api, options) => api.POST("/api/v1/forward", { ...options, body });
      }
      const body = { forward_backward_input: input, model_id, seq_id };
      return (api, options) => api.POST("/api/v1/forward_backward", { ...options, body });
    };
  }
}

function combined(
  operation: string,
  bodies: readonly Fields[],
  datumCounts: number[],
): ForwardBackwardOutput {
  const parts = bodies as readonly ChunkOutput<LossFnOutput>[];
  parts.forEach((part, at) => {
    const [received, expected] = [part.loss_fn_outputs?.length ?? 0, datumCounts[at] ?? 0];
    if (received !== expected) {
      const message = `the result has ${received} outputs for ${expected} datums`;
      throw new APIResponseValidationError(message, operation);
    }
  });
  const { loss_fn_output_type, loss_fn_outputs, metrics } = combineOutputs(parts, datumCounts);
  const floats = Object.entries(metrics).map(([key, value]) => [key, Number(value)] as const);
  return {
    lossFnOutputType: loss_fn_output_type ?? "",
    lossFnOutputs: loss_fn_outputs,
    metrics: Object.fromEntries(floats),
  };
}

function ttlOf({ ttlSeconds }: SaveOptions): { ttl_seconds?: number } {
  if (ttlSeconds === undefined) return {};
  if (Number.isSafeInteger(ttlSeconds) && ttlSeconds >= 1) return { ttl_seconds: ttlSeconds };
  throw new InvalidInputError(`expected an integer of at least 1, got ${ttlSeconds}`, "ttlSeconds");
}

function pathOf(operation: string): (bodies: Fields[]) => string {
  return ([body]) => {
    const path = body?.["path"];
    if (typeof path !== "string") throw missing("path", operation);
    return path;
  };
}
