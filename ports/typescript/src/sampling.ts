/** Weights that a server has ready for sampling. */

import { future, idOf, missing, type Core } from "./core.js";
import { GoneError, InvalidInputError } from "./errors.js";
import type { Schemas } from "./gateway.js";
import { checkInput, checkNumbers, type ModelInput } from "./inputs.js";

export type SamplingParams = Schemas["SamplingParams"];
export interface SampleOptions {
  readonly numSamples?: number;
  readonly promptLogprobs?: boolean;
  readonly topkPromptLogprobs?: number;
}
export type SampleResponse = Omit<Schemas["SampleResponse"], "sequences"> & {
  readonly sequences: Schemas["SampledSequence"][];
};

/** What 0.4.1 takes where nothing is said. */
const PARAMS: SamplingParams = { temperature: 1, top_k: -1, top_p: 1 };
/** How often a sample whose result the server has lost is made anew. */
const GONE_LIMIT = 3;

export class SamplingClient {
  readonly #core: Core;
  #next = 0;

  constructor(
    core: Core,
    readonly samplingSessionId: string,
  ) {
    this.#core = core;
  }

  /** Sequences that go on from `prompt`; any number of calls may be under way. */
  sample(
    prompt: ModelInput,
    params: Partial<SamplingParams> = {},
    options: SampleOptions = {},
  ): Promise<SampleResponse> {
    const { numSamples = 1, promptLogprobs, topkPromptLogprobs = 0 } = options;
    checkInput(prompt, "prompt");
    if (!(Number.isSafeInteger(numSamples) && numSamples >= 1)) {
      throw new InvalidInputError(`expected 1 or more, got ${numSamples}`, "numSamples");
    }
    return future(
      this.#sample({
        type: "sample",
        sampling_session_id: this.samplingSessionId,
        prompt: structuredClone(prompt),
        sampling_params: checkNumbers({ ...PARAMS, ...params }, "params"),
        num_samples: numSamples,
        prompt_logprobs: promptLogprobs ?? null,
        topk_prompt_logprobs: topkPromptLogprobs,
      }),
    );
  }

  async #sample(wanted: Schemas["SampleRequest"]): Promise<SampleResponse> {
    for (let tries = 1; ; tries += 1) {
      this.#core.session.check();
      // One number for all attempts to submit it; a sample made anew has a new one.
      const body = { ...wanted, seq_id: this.#next++ };
      const header = { "X-Tinker-Sampling-Backpressure": "1" };
      const requestId = await this.#core.submit("asample", (api, options) =>
        api.POST("/api/v1/asample", { ...options, params: { header }, body }),
      );
      try {
        const found = await this.#core.result(requestId, "asample");
        if (!Array.isArray(found["sequences"])) throw missing("sequences", "asample");
        return found as unknown as SampleResponse;
      } catch (error) {
        if (!(error instanceof GoneError) || tries === GONE_LIMIT) throw error;
      }
    }
  }
}

/** Have the server load weights for sampling; the id of the sampling session. */
export async function openSamplingSession(
  core: Core,
  source: { model_path: string } | { base_model: string },
): Promise<string> {
  const operation = "create_sampling_session";
  const body = {
    type: operation,
    session_id: await core.session.id(),
    sampling_session_seq_id: core.session.nextSampling(),
    ...source,
  } as const;
  const made = await core.call(operation, (api, options) =>
    api.POST("/api/v1/create_sampling_session", { ...options, body }),
  );
  if (made.sampling_session_id != null || made.request_id == null) {
    return idOf(made.sampling_session_id, "sampling_session_id", operation);
  }
  // Some servers answer with a future.
  const found = await core.result(String(made.request_id), operation);
  return idOf(found["sampling_session_id"], "sampling_session_id", operation);
}
