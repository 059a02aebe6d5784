/** A model in training. Its calls are submitted in the order in which they are made. */

import { future, idOf, missing, type Core } from "./core.js";
import type { Schemas } from "./gateway.js";
import { checkData, checkNumbers, type Datum } from "./inputs.js";
import { OrderedRequests, type Part } from "./ordered.js";
import { combineOutputs, sizeOf, split, type ChunkOutput } from "./rules/batches.js";
import type { Fields } from "./rules/words.js";
import { openSamplingSession, SamplingClient } from "./sampling.js";

type AdamParams = Schemas["AdamParams"];
type LossFnConfig = Schemas["LossFnConfig"];
type LossFnOutput = Schemas["LossFnOutput"];

export interface ForwardBackwardOutput {
  readonly lossFnOutputType: string;
  /** One entry per datum, in their order. */
  readonly lossFnOutputs: LossFnOutput[];
  /** Reduced over all requests; a hash as the nearest float, as 0.4.1 shows it. */
  readonly metrics: Record<string, number>;
}

/** What 0.4.1 takes where nothing is said. */
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

  /** The loss of `data` without gradients. */
  forward(data: readonly Datum[], loss: string, config?: LossFnConfig) {
    return this.#pass("forward", data, loss, config, (forward_input) => (seq_id) => {
      const body = { forward_input, model_id: this.modelId, seq_id };
      return (api, options) => api.POST("/api/v1/forward", { ...options, body });
    });
  }

  /** The loss of `data`; its gradients are added to those that `optimStep` will use up. */
  forwardBackward(data: readonly Datum[], loss: string, config?: LossFnConfig) {
    return this.#pass(
      "forward_backward",
      data,
      loss,
      config,
      (forward_backward_input) => (seq_id) => {
        const body = { forward_backward_input, model_id: this.modelId, seq_id };
        return (api, options) => api.POST("/api/v1/forward_backward", { ...options, body });
      },
    );
  }

  /** One Adam step with the gradients gathered so far; what is not given is 0.4.1's. */
  optimStep(params: Partial<AdamParams> = {}): Promise<Schemas["OptimStepResponse"]> {
    const adam_params = checkNumbers({ ...ADAM, ...params }, "params");
    const part: Part = (seq_id) => (api, options) => {
      const body = { type: "optim_step", adam_params, model_id: this.modelId, seq_id } as const;
      return api.POST("/api/v1/optim_step", { ...options, body });
    };
    return this.#requests.start("optim_step", [part], ([body]) => body ?? {});
  }

  /** Save weights and optimizer state under a name; the path to go on from. */
  saveState(name: string): Promise<string> {
    const part: Part = (seq_id) => (api, options) => {
      const body = { type: "save_weights", model_id: this.modelId, path: name, seq_id } as const;
      return api.POST("/api/v1/save_weights", { ...options, body });
    };
    return this.#requests.start("save_weights", [part], pathOf("save_weights"));
  }

  /** Save the weights for sampling under a name; the path to sample from. */
  saveWeightsForSampler(name: string): Promise<string> {
    const part = this.#savingForSampler({ path: name });
    const operation = "save_weights_for_sampler";
    return this.#requests.start(operation, [part], pathOf(operation));
  }

  /** A client that samples from the weights as they are after the calls made so far. */
  saveWeightsAndGetSamplingClient(): Promise<SamplingClient> {
    const operation = "save_weights_for_sampler";
    const part = this.#savingForSampler({
      sampling_session_seq_id: this.#core.session.nextSampling(),
    });
    const saved = this.#requests.start(operation, [part], ([body]) => body ?? {});
    return future(saved.then((body) => this.#samplerOf(body)));
  }

  #savingForSampler(where: { path: string } | { sampling_session_seq_id: number }): Part {
    return (seq_id) => (api, options) => {
      const type = "save_weights_for_sampler" as const;
      const body = { type, model_id: this.modelId, seq_id, ...where };
      return api.POST("/api/v1/save_weights_for_sampler", { ...options, body });
    };
  }

  async #samplerOf(saved: Fields): Promise<SamplingClient> {
    const { sampling_session_id: id, path } = saved;
    if (typeof path === "string") {
      // Some servers give every checkpoint a name.
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
    operation: "forward" | "forward_backward",
    data: readonly Datum[],
    loss_fn: string,
    config: LossFnConfig | undefined,
    partOf: (input: Schemas["ForwardBackwardInput"]) => Part,
  ): Promise<ForwardBackwardOutput> {
    checkData(data);
    const loss_fn_config = config ? checkNumbers(config, "config") : null;
    // A copy: it is sent later, and the caller may change it meanwhile.
    const copy = structuredClone([...data]);
    const chunks = split(copy.map(sizeOf)).map(([first, end]) => copy.slice(first, end));
    const parts = chunks.map((data) => partOf({ data, loss_fn, loss_fn_config }));
    const counts = chunks.map((chunk) => chunk.length);
    return this.#requests.start(operation, parts, (bodies) => shown(bodies, counts));
  }
}

function shown(bodies: readonly Fields[], datumCounts: number[]): ForwardBackwardOutput {
  const parts = bodies as readonly ChunkOutput<LossFnOutput>[];
  const { loss_fn_output_type, loss_fn_outputs, metrics } = combineOutputs(parts, datumCounts);
  const floats = Object.entries(metrics).map(([key, value]) => [key, Number(value)] as const);
  return {
    lossFnOutputType: loss_fn_output_type ?? "",
    lossFnOutputs: loss_fn_outputs,
    metrics: Object.fromEntries(floats),
  };
}

function pathOf(operation: string): (bodies: Fields[]) => string {
  return ([body]) => {
    const path = body?.["path"];
    if (typeof path !== "string") throw missing("path", operation);
    return path;
  };
}
