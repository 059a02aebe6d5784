/** Shared by all clients of a service: the gateway, retries, results, and the session. */

import { randomUUID } from "node:crypto";

import { APIResponseValidationError, type APIError } from "./errors.js";
import { Gateway, type Fetch, type Schemas, type Send } from "./gateway.js";
import { Poller } from "./poller.js";
import { Retrier, type Clock } from "./retrying.js";
import { redact, type Fields } from "./rules/redaction.js";
import { POLICY } from "./rules/retry.js";
import { Session } from "./session.js";

/** Timeout of a heartbeat in seconds (0.4.1). */
const BEAT_TIMEOUT = 10;
/** The release of the protocol, with the client as a local version (PEP 440). */
const SDK_VERSION = "0.4.1+typescript-port";

export interface Settings {
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Time limit for a result, in seconds. */
  readonly deadline: number;
  /** Sends requests; by default that of Node.js. */
  readonly fetch: Fetch;
  /** The clocks of retries and polls, and of heartbeats; simulated in tests. */
  readonly clock: Clock;
  readonly heart: Clock;
}

export class Core {
  readonly session: Session;
  readonly #gateway: Gateway;
  readonly #retrier: Retrier;
  readonly #poller: Poller;

  constructor(settings: Settings) {
    const { baseUrl, apiKey, clock, heart } = settings;
    const gateway = new Gateway(baseUrl, apiKey, settings.fetch);
    this.session = new Session(
      () => this.#createSession(),
      (id) => this.#beat(id),
      heart,
    );
    this.#gateway = gateway;
    this.#retrier = new Retrier(`${baseUrl} ${apiKey}`, clock);
    const alive = () => this.session.isAlive;
    this.#poller = new Poller(gateway, this.#retrier, settings.deadline, alive);
  }

  /** Sends a request; all its attempts have the same idempotency key. */
  async call<T>(operation: string, send: Send<T>): Promise<NonNullable<T>> {
    const key = randomUUID();
    const policy = { ...POLICY, reads: /^(get|list)_/.test(operation) };
    return this.#retrier.run(operation, () => this.#gateway.send({ operation }, send, key), policy);
  }

  /** Submits an operation and returns its request id. */
  async submit(operation: string, send: Send<Schemas["UntypedAPIFuture"]>): Promise<string> {
    const { request_id } = await this.call(operation, send);
    return idOf(request_id, "request_id", operation);
  }

  /** Returns the body of an operation's result. */
  async result(requestId: string, operation: string, signal?: AbortSignal): Promise<Fields> {
    return this.#poller.wait(requestId, operation, signal);
  }

  async #createSession(): Promise<string> {
    const type = "create_session" as const;
    const body = { type, tags: [], user_metadata: null, sdk_version: SDK_VERSION };
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
