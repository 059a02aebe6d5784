/** Samples from weights that a server has loaded. */

import { Completions } from "./completions.js";
import { future, idOf, missing, type Core } from "./core.js";
import { APIResponseValidationError, GoneError, InvalidInputError } from "./errors.js";
import type { Schemas } from "./gateway.js";
import { checkInput, checkNumbers, type ModelInput } from "./inputs.js";
import { promptBytes } from "./rules/limits.js";

export type SamplingParams = Schemas["SamplingParams"];
export interface SampleOptions {
  readonly numSamples?: number;
  readonly promptLogprobs?: boolean;
  readonly topkPromptLogprobs?: number;
  /** The number of most likely tokens to return for each sampled one (0.38.0). */
  readonly topkSampleLogprobs?: number;
  /** Ends the call with the signal's reason, and its polls. The server is notified if it cancels samples. */
  readonly signal?: AbortSignal;
}
export type SampleResponse = Omit<Schemas["SampleResponse"], "sequences"> & {
  readonly sequences: Schemas["SampledSequence"][];
};

/** The defaults of 0.4.1. */
const PARAMS: SamplingParams = { temperature: 1, top_k: -1, top_p: 1 };
/** Total submissions of a sample whose result has expired. */
const MAX_SUBMISSIONS = 3;

export class SamplingClient {
  readonly #core: Core;
  readonly #completions: Completions;
  #next = 0;

  constructor(
    core: Core,
    readonly samplingSessionId: string,
  ) {
    this.#core = core;
    this.#completions = new Completions(core, samplingSessionId);
  }

  /** Samples continuations of `prompt`; any number of calls may be in progress. */
  sample(
    prompt: ModelInput,
    params: Partial<SamplingParams> = {},
    options: SampleOptions = {},
  ): Promise<SampleResponse> {
    const { numSamples = 1, promptLogprobs = false, topkPromptLogprobs = 0, signal } = options;
    const { topkSampleLogprobs: topk } = options;
    checkInput(prompt, "prompt");
    if (!(Number.isSafeInteger(numSamples) && numSamples >= 1)) {
      throw new InvalidInputError(
        `expected an integer of at least 1, got ${numSamples}`,
        "numSamples",
      );
    }
    const request = {
      type: "sample",
      sampling_session_id: this.samplingSessionId,
      prompt: structuredClone(prompt),
      sampling_params: checkNumbers({ ...PARAMS, ...params }, "params"),
      num_samples: numSamples,
      prompt_logprobs: promptLogprobs,
      topk_prompt_logprobs: topkPromptLogprobs,
      ...(topk === undefined ? {} : { topk_sample_logprobs: topk }),
    } as const;
    return future(abortable(this.#sample(request, signal), signal));
  }

  /** Computes the logprob of each token of `prompt` given the previous ones; null for the first. */
  async computeLogprobs(prompt: ModelInput): Promise<(number | null)[]> {
    const sampled = await this.sample(prompt, { max_tokens: 1 }, { promptLogprobs: true });
    if (!sampled.prompt_logprobs) throw missing("prompt_logprobs", "asample");
    return sampled.prompt_logprobs;
  }

  async #sample(
    request: Schemas["SampleRequest"],
    signal: AbortSignal | undefined,
  ): Promise<SampleResponse> {
    this.#core.session.check();
    await this.#core.flags(); // may change the limits
    for (let submissions = 1; ; submissions += 1) {
      const attempt = () => this.#submit(request, submissions === MAX_SUBMISSIONS, signal);
      const response = await this.#core.samples.run(1, attempt, signal);
      if (response) return response;
    }
  }

  /** Submits a sample and returns its result; none if it has expired, unless `isLast`. */
  async #submit(
    request: Schemas["SampleRequest"],
    isLast: boolean,
    signal: AbortSignal | undefined,
  ): Promise<SampleResponse | undefined> {
    const size = promptBytes(request.prompt);
    const requestId = await this.#core.sampleBytes.run(size, () => this.#send(request), signal);
    const cancel = () => void this.#core.cancel(requestId);
    signal?.addEventListener("abort", cancel, { once: true });
    const { sample_use_retrieve_futures: batched } = await this.#core.flags();
    try {
      if (batched === true) await this.#completions.wait(requestId, signal);
      const body = await this.#core.result(requestId, "asample", signal);
      if (batched === true) this.#completions.acknowledge(requestId);
      const sequences: unknown = body["sequences"];
      if (!Array.isArray(sequences)) throw missing("sequences", "asample");
      if (sequences.length !== request.num_samples) {
        const message = `expected ${request.num_samples} sequences, got ${sequences.length}`;
        throw new APIResponseValidationError(message, "asample", requestId);
      }
      return body as unknown as SampleResponse;
    } catch (error) {
      if (!(error instanceof GoneError) || isLast) throw error;
      return undefined;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  async #send(request: Schemas["SampleRequest"]): Promise<string> {
    this.#core.session.check();
    // All attempts of a submission have the same number; the next submission has a new one.
    const body = { ...request, seq_id: this.#next++ };
    const header = { "X-Tinker-Sampling-Backpressure": "1" };
    return this.#core.submit("asample", (api, options) =>
      api.POST("/api/v1/asample", { ...options, params: { header }, body }),
    );
  }
}

/** Rejects with the reason of the signal as soon as it is aborted. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}

/** Makes the server load weights for sampling and returns the id of the sampling session. */
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
  const response = await core.call(operation, (api, options) =>
    api.POST("/api/v1/create_sampling_session", { ...options, body }),
  );
  if (response.sampling_session_id != null || response.request_id == null) {
    return idOf(response.sampling_session_id, "sampling_session_id", operation);
  }
  // Some servers return a future.
  const result = await core.result(String(response.request_id), operation);
  return idOf(result["sampling_session_id"], "sampling_session_id", operation);
}
