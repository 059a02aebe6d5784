/** What all clients of one service share: the way to the server, retries, results, the session. */

import { randomUUID } from "node:crypto";

import { APIResponseValidationError, type APIError } from "./errors.js";
import { Gateway, type Fetch, type Schemas, type Send } from "./gateway.js";
import { Poller } from "./poller.js";
import { Retrier, type Clock } from "./retrying.js";
import { redact, type Fields } from "./rules/words.js";
import { Session } from "./session.js";

/** Seconds that a heartbeat may take; release 0.4.1. */
const BEAT_TIMEOUT = 10;
/** The release whose protocol this is, and who speaks it, as a local version of PEP 440. */
const SDK_VERSION = "0.4.1+typescript-port";

export interface Settings {
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Seconds that a result may be waited for. */
  readonly deadline: number;
  /** What sends; that of Node.js unless a test or a proxy stands in. */
  readonly fetch: Fetch;
  /** The time of retries and polls, and that of heartbeats; real unless in tests. */
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
    const alive = () => this.session.heardLately;
    this.#poller = new Poller(gateway, this.#retrier, settings.deadline, alive);
  }

  /** One logical call: its attempts have one idempotency key. */
  async call<T>(operation: string, send: Send<T>): Promise<NonNullable<T>> {
    const key = randomUUID();
    return this.#retrier.run(operation, () => this.#gateway.send({ operation }, send, key));
  }

  /** Submit work; the id to fetch its result by. */
  async submit(operation: string, send: Send<Schemas["UntypedAPIFuture"]>): Promise<string> {
    const { request_id } = await this.call(operation, send);
    return idOf(request_id, "request_id", operation);
  }

  /** The body of submitted work's result. */
  async result(requestId: string, operation: string): Promise<Fields> {
    return this.#poller.wait(requestId, operation);
  }

  async #createSession(): Promise<string> {
    const type = "create_session" as const;
    const body = { type, tags: [], user_metadata: null, sdk_version: SDK_VERSION };
    const made = await this.call(type, (api, options) =>
      api.POST("/api/v1/create_session", { ...options, body }),
    );
    for (const words of [made.warning_message, made.error_message]) {
      if (words) console.warn(`tinker: ${redact(words)}`);
    }
    return idOf(made.session_id, "session_id", type);
  }

  /** One heartbeat, sent once: the next one follows anyway. */
  async #beat(session_id: string): Promise<unknown> {
    const body = { type: "session_heartbeat" as const, session_id };
    const call = { operation: body.type, timeout: BEAT_TIMEOUT };
    const send: Send<unknown> = (api, options) =>
      api.POST("/api/v1/session_heartbeat", { ...options, body });
    return this.#gateway.send(call, send, randomUUID());
  }
}

/** An id of an answer, as text: some servers number what they make. */
export function idOf(value: unknown, name: string, operation: string): string {
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw missing(name, operation);
}

export function missing(name: string, operation: string): APIError {
  return new APIResponseValidationError(`the answer has no ${name}`, operation);
}

/** A promise as a future: one that fails before somebody waits for it does not end the program. */
export function future<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
