/** The entry point: creates training and sampling clients. */

import { Core, future, idOf, type Settings } from "./core.js";
import { InvalidInputError } from "./errors.js";
import type { Schemas } from "./gateway.js";
import { RestClient } from "./rest.js";
import { REAL_CLOCK } from "./retrying.js";
import { openSamplingSession, SamplingClient } from "./sampling.js";
import { TrainingClient } from "./training.js";

export type LoraConfig = Schemas["LoraConfig"];

/** The defaults of 0.4.1. */
const LORA: LoraConfig = { rank: 32, train_unembed: true, train_mlp: true, train_attn: true };

/**
 * A connection to a server, with one session.
 *
 *     const service = new ServiceClient({ baseUrl: "http://127.0.0.1:8765", apiKey: "tml-any" });
 *     const training = await service.createLoraTrainingClient("embedded/tiny", { rank: 8 });
 */
export class ServiceClient {
  readonly #core: Core;

  /** `TINKER_BASE_URL` and `TINKER_API_KEY` are the defaults. Sends nothing. */
  constructor(settings: Partial<Settings> = {}) {
    const { baseUrl, apiKey, ...others } = settings;
    this.#core = new Core({
      baseUrl: requireValue(baseUrl ?? process.env["TINKER_BASE_URL"], "baseUrl"),
      apiKey: requireValue(apiKey ?? process.env["TINKER_API_KEY"], "apiKey"),
      deadline: 7200,
      protocol: "0.4.1",
      fetch: globalThis.fetch,
      clock: REAL_CLOCK,
      heart: REAL_CLOCK,
      ...others,
    });
  }

  /** Returns the names of the base models. */
  async getServerCapabilities(): Promise<string[]> {
    const capabilities = await this.#core.call("get_server_capabilities", (api, options) =>
      api.GET("/api/v1/get_server_capabilities", options),
    );
    return (capabilities.supported_models ?? []).flatMap((model) => model.model_name ?? []);
  }

  /** Creates a LoRA adapter on a base model, with the defaults of 0.4.1. */
  createLoraTrainingClient(
    baseModel: string,
    lora: Partial<LoraConfig> = {},
    userMetadata?: Record<string, string>,
  ): Promise<TrainingClient> {
    requireValue(baseModel, "baseModel");
    return future(this.#createModel(baseModel, { ...LORA, ...lora }, userMetadata));
  }

  /**
   * Creates a model like the one that `saveState` saved, and loads its weights and optimizer state.
   *
   * The server returns the base model and, before 0.24.1, only the rank of the adapter; `lora`
   * replaces these values.
   */
  createTrainingClientFromState(
    path: string,
    lora: Partial<LoraConfig> = {},
    userMetadata?: Record<string, string>,
  ): Promise<TrainingClient> {
    requireValue(path, "path");
    return future(this.#resume(path, lora, userMetadata));
  }

  /** Creates a client that samples from saved weights (`tinker://...`) or from a base model. */
  createSamplingClient(
    source: { modelPath: string } | { baseModel: string },
  ): Promise<SamplingClient> {
    const model =
      "modelPath" in source ? { model_path: source.modelPath } : { base_model: source.baseModel };
    const opened = openSamplingSession(this.#core, model);
    return future(opened.then((id) => new SamplingClient(this.#core, id)));
  }

  /** Creates a client of training runs, checkpoints and sessions. Sends nothing. */
  createRestClient(): RestClient {
    return new RestClient(this.#core);
  }

  /**
   * Stops the heartbeats, so that the server ends the session, and reports the end to a server of
   * 0.38.0. Calls in progress continue, later ones fail at once.
   */
  close(): Promise<void> {
    return this.#core.close();
  }

  async #resume(path: string, lora: Partial<LoraConfig>, userMetadata?: Record<string, string>) {
    const rest = this.createRestClient();
    const saved = this.#core.usesProtobuf
      ? await rest.getWeightsInfo(path)
      : await rest.getTrainingRunOf(path);
    const { base_model, lora_rank, user_metadata, ...flags } = {
      user_metadata: null,
      ...saved,
    };
    const { train_unembed, train_mlp, train_attn } = { ...LORA, ...known(flags) };
    const rank = lora_rank ?? LORA.rank;
    const config = { rank, train_unembed, train_mlp, train_attn, ...lora };
    const metadata = { ...user_metadata, ...userMetadata };
    const name = idOf(base_model, "base_model", "the description of the saved weights");
    const training = await this.#createModel(
      name,
      config,
      Object.keys(metadata).length ? metadata : undefined,
    );
    try {
      await training.loadState(path);
    } catch (error) {
      void training.unload().catch(() => undefined); // The caller has no client of it.
      throw error;
    }
    return training;
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

/** The fields that have a value. */
function known<T extends object>(fields: T): Partial<{ [K in keyof T]: NonNullable<T[K]> }> {
  const entries = Object.entries(fields).filter(([, value]) => value != null);
  return Object.fromEntries(entries) as Partial<{ [K in keyof T]: NonNullable<T[K]> }>;
}

function requireValue(value: string | undefined, where: string): string {
  if (!value) throw new InvalidInputError("is required", where);
  return value;
}
