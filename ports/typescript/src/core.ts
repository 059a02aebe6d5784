/** Shared by all clients of a service: the gateway, retries, results, and the session. */

import { randomUUID } from "node:crypto";

import { Budget } from "./budget.js";
import { APIResponseValidationError, type APIError } from "./errors.js";
import { Gateway, POLL_TIMEOUT, type Fetch, type Schemas, type Send } from "./gateway.js";
import { Poller } from "./poller.js";
import { Retrier, type Clock } from "./retrying.js";
import { redact, type Fields } from "./rules/redaction.js";
import { POLICY } from "./rules/retry.js";
import { Session } from "./session.js";

/** Timeout of a heartbeat in seconds (0.4.1). */
const BEAT_TIMEOUT = 10;
/** The client as a local version (PEP 440) of the release whose protocol it uses. */
const CLIENT = "+typescript-port";

/** Release 0.4.1 is JSON; servers of 0.25.0 and later accept training data as protobuf only. */
export type Protocol = "0.4.1" | "0.38.0";

/** The limits of a server without flags, those of 0.38.0: samples, and bytes being submitted. */
const MAX_SAMPLES = 2000;
const MAX_SAMPLE_BYTES = 10 * 1024 * 1024;
const MAX_TRAINING_BYTES = 50_000_000;
/** Concurrent polls, of which each uses a socket; the number of samples that 0.4.1 sends at once. */
export const MAX_POLLS = 400;

export interface Settings {
  /** The protocol of the server. */
  readonly protocol: Protocol;
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Time limit for a result, in seconds. */
  readonly deadline: number;
  /** Samples between submission and result; by default the server's limit, or 2000. */
  readonly maxSamplesInFlight?: number | undefined;
  /** Bytes of training data being submitted; by default the server's limit, or 50 MB. */
  readonly maxTrainingBytesInFlight?: number | undefined;
  /** Sends requests; by default that of Node.js. */
  readonly fetch: Fetch;
  /** The clocks of retries and polls, and of heartbeats; simulated in tests. */
  readonly clock: Clock;
  readonly heart: Clock;
}

export class Core {
  readonly session: Session;
  /** Samples between submission and result. */
  readonly samples: Budget;
  /** Bytes of prompts, and of training data, that are being submitted. */
  readonly sampleBytes = new Budget(MAX_SAMPLE_BYTES);
  readonly trainingBytes: Budget;
  /** Concurrent polls, without those for the completions of a sampling session. */
  readonly polls = new Budget(MAX_POLLS);
  readonly #settings: Settings;
  readonly #protocol: Protocol;
  #config: Promise<Fields> | undefined;
  #dynamicFlags: Promise<Schemas["ClientDynamicConfigResponse"]> | undefined;
  readonly #gateway: Gateway;
  readonly #retrier: Retrier;
  readonly #poller: Poller;

  constructor(settings: Settings) {
    const { baseUrl, apiKey, clock, heart } = settings;
    const gateway = new Gateway(baseUrl, apiKey, settings.fetch, settings.protocol !== "0.4.1");
    this.#settings = settings;
    this.#protocol = settings.protocol;
    this.samples = new Budget(settings.maxSamplesInFlight ?? MAX_SAMPLES);
    this.trainingBytes = new Budget(settings.maxTrainingBytesInFlight ?? MAX_TRAINING_BYTES);
    this.session = new Session(
      () => this.#createSession(),
      (id) => this.#beat(id),
      heart,
    );
    this.#gateway = gateway;
    this.#retrier = new Retrier(`${baseUrl} ${apiKey}`, clock);
    const alive = () => this.session.isAlive;
    this.#poller = new Poller(gateway, this.#retrier, settings.deadline, alive, this.polls);
  }

  /** Sends a request; all its attempts have the same idempotency key. */
  async call<T>(operation: string, send: Send<T>, timeout?: number): Promise<NonNullable<T>> {
    if (operation !== "client_config") await this.flags();
    const key = randomUUID();
    const call = timeout === undefined ? { operation } : { operation, timeout };
    const policy = { ...POLICY, reads: /^(get|list)_/.test(operation) };
    return this.#retrier.run(operation, () => this.#gateway.send(call, send, key), policy);
  }

  /** As `call`, for a success without a body. */
  async change(operation: string, send: Send<unknown>): Promise<void> {
    await this.flags();
    const key = randomUUID();
    const attempt = () => this.#gateway.sendChange({ operation }, send, key);
    return this.#retrier.run(operation, attempt);
  }

  /** Submits an operation and returns its request id. */
  async submit(operation: string, send: Send<Schemas["UntypedAPIFuture"]>): Promise<string> {
    const { request_id } = await this.call(operation, send);
    return idOf(request_id, "request_id", operation);
  }

  get usesProtobuf(): boolean {
    return this.#gateway.protobuf;
  }

  /** Submits training data as a protobuf message and returns the request id. */
  async submitMessage(message: Uint8Array): Promise<string> {
    await this.flags();
    const [operation, key] = ["forward_backward", randomUUID()];
    const attempt = () => this.#gateway.sendMessage({ operation }, message, key);
    const { request_id } = await this.#retrier.run(operation, attempt);
    return idOf(request_id, "request_id", operation);
  }

  /** The server's flags, requested once; releases before 0.24.1 have none. */
  async flags(): Promise<Fields> {
    if (this.#protocol === "0.4.1") return {};
    this.#config ??= this.#negotiate().catch((error: unknown) => {
      this.#config = undefined;
      throw error;
    });
    return this.#config;
  }

  async #negotiate(): Promise<Fields> {
    const body = { sdk_version: this.#protocol + CLIENT };
    const flags: Fields = await this.call("client_config", (api, options) =>
      api.POST("/api/v1/client/config", { ...options, body }),
    );
    this.#applyLimits(flags);
    if (flags["pjwt_auth_enabled"] === true) this.#gateway.useTokens(() => this.#exchangeKey());
    return flags;
  }

  /** Applies the server's limits, except those that the user has set. */
  #applyLimits(flags: Fields): void {
    const { maxSamplesInFlight, maxTrainingBytesInFlight } = this.#settings;
    const limits: [Budget, string, number | undefined][] = [
      [this.samples, "sample_max_concurrent_requests", maxSamplesInFlight],
      [this.sampleBytes, "sample_dispatch_bytes_semaphore_size", undefined],
      [this.trainingBytes, "fwdbwd_dispatch_bytes_semaphore_size", maxTrainingBytesInFlight],
    ];
    for (const [budget, flag, setting] of limits) {
      const limit = flags[flag];
      if (setting === undefined && typeof limit === "number" && limit >= 1) budget.resize(limit);
    }
  }

  async #exchangeKey(): Promise<string> {
    const [operation, key] = ["create_auth_token", randomUUID()];
    const send: Send<Schemas["AuthTokenResponse"]> = (api, options) =>
      api.POST("/api/v1/auth/token", { ...options, body: {} });
    const attempt = () => this.#gateway.sendWithKey({ operation }, send, key);
    const response = await this.#retrier.run(operation, attempt);
    return idOf(response?.jwt, "jwt", operation);
  }

  /** Returns a token for the key; `sub` and `org_id` in its claims are the owner of the key. */
  async token(): Promise<string> {
    await this.flags();
    return this.#exchangeKey();
  }

  /** Seconds until an operation must have its result. */
  get deadline(): number {
    return this.#settings.deadline;
  }

  /** Stops the heartbeats and reports the end of the session, if the server accepts a report. */
  async close(): Promise<void> {
    const session_id = this.session.close();
    if (session_id === undefined || this.#protocol === "0.4.1") return;
    const call = { operation: "finish_session", timeout: BEAT_TIMEOUT };
    const body = { reason: { type: "success" }, detail: null } as const;
    const send: Send<unknown> = (api, options) => {
      const params = { path: { session_id } };
      return api.POST("/api/v1/sessions/{session_id}/finish", { ...options, params, body });
    };
    try {
      await this.#gateway.sendChange(call, send, randomUUID());
    } catch {
      // The server ends the session when the heartbeats stop.
    }
  }

  get clock(): Clock {
    return this.#retrier.clock;
  }

  /** Requests the completions of a sampling session, without retries. */
  async completions(
    body: Schemas["FuturesRetrieveRequest"],
  ): Promise<Schemas["FuturesRetrieveResponse"]> {
    const call = { operation: "retrieve_futures", timeout: POLL_TIMEOUT };
    const send: Send<Schemas["FuturesRetrieveResponse"]> = (api, options) =>
      api.POST("/api/v1/retrieve_futures", { ...options, body });
    return this.#gateway.send(call, send, randomUUID());
  }

  /** Cancels a request, if the server allows it. Errors do not matter: nothing waits for it. */
  async cancel(request_id: string): Promise<void> {
    if (this.#protocol === "0.4.1") return;
    const body = { sdk_version: this.#protocol + CLIENT };
    this.#dynamicFlags ??= this.call("client_dynamic_config", (api, options) =>
      api.POST("/api/v1/client/dynamic_config", { ...options, body }),
    );
    try {
      if ((await this.#dynamicFlags).sample_cancel_enabled !== true) return;
      await this.call("cancel_future", (api, options) =>
        api.POST("/api/v1/cancel_future", { ...options, body: { request_id } }),
      );
    } catch {
      this.#dynamicFlags = undefined;
    }
  }

  /** Returns the body of an operation's result. */
  async result(requestId: string, operation: string, signal?: AbortSignal): Promise<Fields> {
    return this.#poller.wait(requestId, operation, signal);
  }

  async #createSession(): Promise<string> {
    const type = "create_session" as const;
    const body = { type, tags: [], user_metadata: null, sdk_version: this.#protocol + CLIENT };
    const session = await this.call(type, (api, options) =>
      api.POST("/api/v1/create_session", { ...options, body }),
    );
    for (const message of [session.warning_message, session.error_message]) {
      if (message) console.warn(`tinker: ${redact(message)}`);
    }
    return idOf(session.session_id, "session_id", type);
  }

  /** Sends a heartbeat without retries, because the next one follows soon. */
  async #beat(session_id: string): Promise<unknown> {
    const body = { type: "session_heartbeat" as const, session_id };
    const call = { operation: body.type, timeout: BEAT_TIMEOUT };
    const send: Send<unknown> = (api, options) =>
      api.POST("/api/v1/session_heartbeat", { ...options, body });
    return this.#gateway.send(call, send, randomUUID());
  }
}

/** An id in a response as a string; some servers send numbers. */
export function idOf(value: unknown, name: string, operation: string): string {
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw missing(name, operation);
}

export function missing(name: string, operation: string): APIError {
  return new APIResponseValidationError(`the response has no ${name}`, operation);
}

/** Keeps a promise that is rejected before it is awaited from ending the process. */
export function future<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
