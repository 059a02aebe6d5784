/**
 * Sends a single request with openapi-fetch, typed by the specification, and reads the response.
 *
 * An error response becomes a typed error with its headers before openapi-fetch sees it. Redirects
 * are not followed, because they would receive the key. Nothing is retried here.
 */

import { randomUUID } from "node:crypto";

import JSON5 from "json5";
import createClient, { defaultPathSerializer, type Client } from "openapi-fetch";

import {
  APIConnectionError,
  APIResponseValidationError,
  APIStatusError,
  statusError,
  type APIError,
} from "./errors.js";
import type { components, paths } from "./generated/tinker.js";
import { categoryOf } from "./rules/polling.js";
import { retryAfterSeconds, type Fault } from "./rules/retry.js";
import { decodeResult, PROTOBUF } from "./protobuf.js";
import { redact, serverWords, type Fields } from "./rules/redaction.js";

export type Schemas = components["schemas"];
export type Api = Client<paths>;
export type Fetch = (request: Request) => Promise<Response>;

/** The options that each request passes to openapi-fetch. */
export type Options = { headers: Record<string, string>; signal: AbortSignal; fetch: Fetch };
export type Send<T> = (api: Api, options: Options) => Promise<{ data?: T }>;

/** A request and its timeout in seconds. The defaults are those of release 0.4.1. */
export interface Call {
  readonly operation: string;
  readonly requestId?: string;
  readonly timeout?: number;
}
const TIMEOUT = 60;
/** The operations whose results may be protobuf. */
const ENCODED = new Set(["forward", "forward_backward", "asample"]);
export const POLL_TIMEOUT = 45;

export class Gateway {
  readonly #api: Api;
  readonly #baseUrl: string;
  readonly #key: string;
  readonly #fetch: Fetch;
  #issue: (() => Promise<string>) | undefined;
  #token: Promise<string> | undefined;

  /** `protobuf`: training data and results are protobuf, as from release 0.25.0 on. */
  constructor(
    baseUrl: string,
    apiKey: string,
    fetch: Fetch,
    readonly protobuf = false,
  ) {
    this.#baseUrl = baseUrl.replace(/\/$/, "");
    const headers = { Accept: "application/json" };
    const pathSerializer = serializePath;
    this.#api = createClient<paths>({ baseUrl, headers, redirect: "manual", pathSerializer });
    this.#key = apiKey;
    this.#fetch = fetch;
  }

  /** Returns the body of a success. All attempts of a call share `idempotencyKey`. */
  async send<T>(call: Call, send: Send<T>, idempotencyKey: string): Promise<NonNullable<T>> {
    return this.#authorized(async (credential) => {
      const { data } = await send(this.#api, this.#options(call, idempotencyKey, credential));
      if (data === undefined || data === null) throw unreadable("empty", call);
      return data;
    });
  }

  /** As `send`, for a success without a body. */
  async sendChange(call: Call, send: Send<unknown>, idempotencyKey: string): Promise<void> {
    await this.#authorized((credential) =>
      send(this.#api, this.#options(call, idempotencyKey, credential)),
    );
  }

  /** Sends no key from now on, but a token that `issue` returns, until the server rejects it. */
  useTokens(issue: () => Promise<string>): void {
    this.#issue = issue;
  }

  /** As `send`, with the key even if the client uses tokens. */
  async sendWithKey<T>(call: Call, send: Send<T>, idempotencyKey: string): Promise<T | undefined> {
    return (await send(this.#api, this.#options(call, idempotencyKey, this.#key))).data;
  }

  /** Runs a request with the key or a token; a rejected token is renewed once for all requests. */
  async #authorized<T>(run: (credential: string) => Promise<T>): Promise<T> {
    if (!this.#issue) return run(this.#key);
    const used = (this.#token ??= this.#newToken(this.#issue));
    try {
      return await run(await used);
    } catch (error) {
      if (!rejectsToken(error)) throw error;
      if (this.#token === used) this.#token = this.#newToken(this.#issue);
      return run(await this.#token);
    }
  }

  #newToken(issue: () => Promise<string>): Promise<string> {
    const token = issue();
    token.catch(() => {
      if (this.#token === token) this.#token = undefined;
    });
    return token;
  }

  /** As `send`, with training data as a protobuf message. */
  async sendMessage(call: Call, message: Uint8Array, key: string): Promise<Fields> {
    const headers = { "Content-Type": PROTOBUF, Accept: "application/json" };
    const response = await this.#authorized((credential) =>
      this.#post(call, call.operation, message, { "X-API-Key": credential, ...headers }, key),
    );
    const body = readBody(Buffer.from(response).toString());
    if (body === null || typeof body !== "object") throw unreadable("not JSON", call);
    return body as Fields;
  }

  /**
   * Polls for the result of `operation` and returns the status and body of a success; a protobuf
   * result is decoded to the form of JSON.
   */
  async poll(operation: string, requestId: string): Promise<{ status: number; body: unknown }> {
    const call = { operation, requestId, timeout: POLL_TIMEOUT };
    const accept = this.protobuf && ENCODED.has(operation) ? { Accept: PROTOBUF } : {};
    const { data, response } = await this.#authorized((credential) => {
      const options = this.#options(call, randomUUID(), credential);
      return this.#api.POST("/api/v1/retrieve_future", {
        ...options,
        headers: { ...options.headers, ...accept },
        body: { request_id: requestId },
        parseAs: "arrayBuffer",
      });
    });
    const bytes = new Uint8Array((data as ArrayBuffer | undefined) ?? new ArrayBuffer(0));
    if (!response.headers.get("content-type")?.includes(PROTOBUF)) {
      return { status: response.status, body: readBody(Buffer.from(bytes).toString()) };
    }
    try {
      return { status: response.status, body: decodeResult(operation, bytes) };
    } catch (error) {
      const message = `the result is not a protobuf message: ${String(error)}`;
      throw new APIResponseValidationError(message, operation, requestId);
    }
  }

  async #post(
    call: Call,
    path: string,
    body: Uint8Array,
    headers: Record<string, string>,
    key: string,
  ): Promise<ArrayBuffer> {
    const options = this.#options(call, key, this.#key);
    const request = new Request(`${this.#baseUrl}/api/v1/${path}`, {
      method: "POST",
      headers: { ...options.headers, ...headers },
      body: Buffer.from(body),
      redirect: "manual",
      signal: options.signal,
    });
    return (await options.fetch(request)).arrayBuffer();
  }

  #options(call: Call, key: string, credential: string): Options {
    return {
      headers: { "X-API-Key": credential, "X-Idempotency-Key": key },
      signal: AbortSignal.timeout((call.timeout ?? TIMEOUT) * 1000),
      fetch: (request) => this.#exchange(call, request),
    };
  }

  async #exchange(call: Call, request: Request): Promise<Response> {
    let response: Response | undefined;
    let content: ArrayBuffer;
    try {
      response = await this.#fetch(request);
      content = await response.arrayBuffer();
    } catch (error) {
      throw this.#connectionError(call, error, response ? "read" : "connect");
    }
    const text = () => Buffer.from(content).toString();
    if (!response.ok) throw this.#statusError(call, response, readBody(text()));
    return new BufferedResponse(call, response, content, text);
  }

  #statusError(call: Call, { status, headers: received }: Response, body: unknown): APIError {
    const headers = Object.fromEntries(received);
    const retryAfter = retryAfterSeconds(headers, Date.now() / 1000);
    const response = { status, headers, body, retryAfter, category: categoryOf(body) };
    const message = `HTTP ${status} ${serverWords(body, this.#key)}`.trim();
    const requestId =
      call.requestId ?? (redact(headers["x-request-id"] ?? "", this.#key) || undefined);
    return new (statusError(status))(message, response, call.operation, requestId);
  }

  #connectionError(call: Call, error: unknown, defaultFault: Fault): APIError {
    // The message of fetch is "fetch failed"; the cause has the reason.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const message = redact(`${cause} ${codeOf(cause)}`.trim(), this.#key);
    const [, fault = defaultFault] = FAULTS.find(([pattern]) => pattern.test(message)) ?? [];
    return new APIConnectionError(message, fault, call.operation, call.requestId);
  }
}

/** The URL of a request; a checkpoint without a kind has one segment less. */
function serializePath(url: string, params: Record<string, unknown>): string {
  const isShort = params["checkpoint_kind"] === "";
  return defaultPathSerializer(isShort ? url.replace("/{checkpoint_kind}", "") : url, params);
}

/** Whether the server rejects the token of a request (token_validity.json). */
function rejectsToken(error: unknown): boolean {
  const isRejection = error instanceof APIStatusError && error.status === 401;
  return (
    isRejection && /error="?invalid_token/.test(error.response.headers["www-authenticate"] ?? "")
  );
}

const FAULTS: readonly [RegExp, Fault][] = [
  [/CONNECT|ECONNREFUSED|ENOTFOUND|EAI_AGAIN/, "connect"],
  [/TIMEOUT|TimeoutError|ETIMEDOUT/, "timeout"],
  [/EPIPE/, "write"],
  [/HPE_/, "protocol"],
];

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : "";
  return typeof code === "string" ? code : ""; // the code of a DOMException is a number
}

/** Parses a body as JSON; returns the text if it is not JSON, null if it is empty. */
export function readBody(text: string): unknown {
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    return readLeniently(text);
  }
}

/** Some servers write NaN and Infinity in metrics, which are not JSON. */
function readLeniently(text: string): unknown {
  try {
    return /\b(NaN|Infinity)\b/.test(text) ? JSON5.parse(text) : text;
  } catch {
    return text;
  }
}

/** A success with a buffered body, whose `json()` accepts what `readBody` accepts. */
class BufferedResponse extends Response {
  override readonly json: () => Promise<unknown>;

  constructor(call: Call, from: Response, content: ArrayBuffer, text: () => string) {
    const headers = new Headers(from.headers);
    // Otherwise openapi-fetch parses the body itself.
    headers.set("content-length", `${content.byteLength}`);
    super(content.byteLength ? content : null, { status: from.status, headers });
    this.json = async () => {
      const body = readBody(text());
      if (typeof body === "string") throw unreadable("not JSON", call);
      return body;
    };
  }
}

function unreadable(problem: string, { operation, requestId }: Call): APIError {
  const message = `the body of the response is ${problem}`;
  return new APIResponseValidationError(message, operation, requestId, true);
}
