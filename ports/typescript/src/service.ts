/** The way in: makes clients that train and clients that sample. */

import { Core, future, idOf, type Settings } from "./core.js";
import { InvalidInputError } from "./errors.js";
import type { Schemas } from "./gateway.js";
import { REAL_CLOCK } from "./retrying.js";
import { openSamplingSession, SamplingClient } from "./sampling.js";
import { TrainingClient } from "./training.js";

export type LoraConfig = Schemas["LoraConfig"];

/** What 0.4.1 takes where nothing is said. */
const LORA: LoraConfig = { rank: 32, train_unembed: true, train_mlp: true, train_attn: true };

/**
 * One connection to one server, and one session on it.
 *
 *     const service = new ServiceClient({ baseUrl: "http://127.0.0.1:8765", apiKey: "tml-any" });
 *     const training = await service.createLoraTrainingClient("embedded/tiny", { rank: 8 });
 */
export class ServiceClient {
  readonly #core: Core;

  /** `TINKER_BASE_URL` and `TINKER_API_KEY` stand in for what is not given. Nothing is sent yet. */
  constructor(settings: Partial<Settings> = {}) {
    const { baseUrl, apiKey, ...others } = settings;
    this.#core = new Core({
      baseUrl: needed(baseUrl ?? process.env["TINKER_BASE_URL"], "baseUrl"),
      apiKey: needed(apiKey ?? process.env["TINKER_API_KEY"], "apiKey"),
      deadline: 7200,
      fetch: globalThis.fetch,
      clock: REAL_CLOCK,
      heart: REAL_CLOCK,
      ...others,
    });
  }

  /** The names of the base models. */
  async getServerCapabilities(): Promise<string[]> {
    const found = await this.#core.call("get_server_capabilities", (api, options) =>
      api.GET("/api/v1/get_server_capabilities", options),
    );
    return (found.supported_models ?? []).flatMap((model) => model.model_name ?? []);
  }

  /** A new LoRA adapter on a base model; what is not given of its shape is 0.4.1's. */
  createLoraTrainingClient(
    baseModel: string,
    lora: Partial<LoraConfig> = {},
    userMetadata?: Record<string, string>,
  ): Promise<TrainingClient> {
    needed(baseModel, "baseModel");
    return future(this.#createModel(baseModel, { ...LORA, ...lora }, userMetadata));
  }

  /** A client that samples from saved weights (`tinker://...`) or from a base model. */
  createSamplingClient(
    source: { modelPath: string } | { baseModel: string },
  ): Promise<SamplingClient> {
    const wanted =
      "modelPath" in source ? { model_path: source.modelPath } : { base_model: source.baseModel };
    const opened = openSamplingSession(this.#core, wanted);
    return future(opened.then((id) => new SamplingClient(this.#core, id)));
  }

  /** End the heartbeats; the server then ends the session. What is under way goes on. */
  close(): void {
    this.#core.session.close();
  }

  async #createModel(
    base_model: string,
    lora_config: LoraConfig,
    metadata?: Record<string, string>,
  ) {
    const operation = "create_model";
    const body = {
      type: operation,
      session_id: await this.#core.session.id(),
      model_seq_id: this.#core.session.nextModel(),
      base_model,
      lora_config,
      user_metadata: metadata ?? null,
    } as const;
    const requestId = await this.#core.submit(operation, (api, options) =>
      api.POST("/api/v1/create_model", { ...options, body }),
    );
    const { model_id } = await this.#core.result(requestId, operation);
    return new TrainingClient(this.#core, idOf(model_id, "model_id", operation));
  }
}

function needed(value: string | undefined, where: string): string {
  if (!value) throw new InvalidInputError("is needed", where);
  return value;
}
