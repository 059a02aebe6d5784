/**
 * One request: sent by openapi-fetch, typed by the specification, its answer read or thrown.
 *
 * What is no success never reaches openapi-fetch: it becomes a typed error here, which keeps the
 * headers. Redirects are not followed, as the key would go along. Nothing is sent again here.
 */

import { randomUUID } from "node:crypto";

import JSON5 from "json5";
import createClient, { type Client } from "openapi-fetch";

import {
  APIConnectionError,
  APIResponseValidationError,
  statusError,
  type APIError,
} from "./errors.js";
import type { components, paths } from "./generated/tinker.js";
import { categoryOf } from "./rules/polling.js";
import { retryAfterSeconds, type Fault } from "./rules/retry.js";
import { redact, serverWords } from "./rules/words.js";

export type Schemas = components["schemas"];
export type Api = Client<paths>;
export type Fetch = (request: Request) => Promise<Response>;

/** What each use of the API hands on to openapi-fetch. */
export type Options = { headers: Record<string, string>; signal: AbortSignal; fetch: Fetch };
export type Send<T> = (api: Api, options: Options) => Promise<{ data?: T }>;

/** What is asked for, and in how many seconds: of release 0.4.1. */
export interface Call {
  readonly operation: string;
  readonly requestId?: string;
  readonly timeout?: number;
}
const TIMEOUT = 60;
const POLL_TIMEOUT = 45;

export class Gateway {
  readonly #api: Api;
  readonly #key: string;
  readonly #fetch: Fetch;

  constructor(baseUrl: string, apiKey: string, fetch: Fetch) {
    const headers = { "X-API-Key": apiKey, Accept: "application/json" };
    this.#api = createClient<paths>({ baseUrl, headers, redirect: "manual" });
    this.#key = apiKey;
    this.#fetch = fetch;
  }

  /** The body of a success. `idempotencyKey` names the logical call, the same on all attempts. */
  async send<T>(call: Call, send: Send<T>, idempotencyKey: string): Promise<NonNullable<T>> {
    const { data } = await send(this.#api, this.#options(call, idempotencyKey));
    if (data === undefined || data === null) throw unreadable("an empty body", call);
    return data;
  }

  /** One poll for the result of `operation`: status and body of a success, whatever they are. */
  async poll(operation: string, requestId: string): Promise<{ status: number; body: unknown }> {
    const call = { operation, requestId, timeout: POLL_TIMEOUT };
    const { data, response } = await this.#api.POST("/api/v1/retrieve_future", {
      ...this.#options(call, randomUUID()),
      body: { request_id: requestId },
      parseAs: "text",
    });
    return { status: response.status, body: readBody(data ?? "") };
  }

  #options(call: Call, key: string): Options {
    return {
      headers: { "X-Idempotency-Key": key },
      signal: AbortSignal.timeout((call.timeout ?? TIMEOUT) * 1000),
      fetch: (request) => this.#exchange(call, request),
    };
  }

  async #exchange(call: Call, request: Request): Promise<Response> {
    let answer: Response | undefined;
    let text: string;
    try {
      answer = await this.#fetch(request);
      text = await answer.text();
    } catch (error) {
      throw this.#connectionError(call, error, answer ? "read" : "connect");
    }
    if (!answer.ok) throw this.#statusError(call, answer, readBody(text));
    return new Whole(call, answer, text);
  }

  #statusError(call: Call, { status, headers: sent }: Response, body: unknown): APIError {
    const headers = Object.fromEntries(sent);
    const retryAfter = retryAfterSeconds(headers, Date.now() / 1000);
    const answer = { status, headers, body, retryAfter, category: categoryOf(body) };
    const words = `HTTP ${status} ${serverWords(body, this.#key)}`.trim();
    const named = redact(headers["x-request-id"] ?? "", this.#key) || undefined;
    return new (statusError(status))(words, answer, call.operation, call.requestId ?? named);
  }

  #connectionError(call: Call, error: unknown, otherwise: Fault): APIError {
    // fetch says "fetch failed", and why in the cause.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const words = redact(`${cause} ${codeOf(cause)}`.trim(), this.#key);
    const [, fault = otherwise] = FAULTS.find(([pattern]) => pattern.test(words)) ?? [];
    return new APIConnectionError(words, fault, call.operation, call.requestId);
  }
}

const FAULTS: readonly [RegExp, Fault][] = [
  [/CONNECT|ECONNREFUSED|ENOTFOUND|EAI_AGAIN/, "connect"],
  [/TIMEOUT|TimeoutError|ETIMEDOUT/, "timeout"],
  [/EPIPE/, "write"],
  [/HPE_/, "protocol"],
];

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : "";
  return typeof code === "string" ? code : ""; // a DOMException has a number
}

/** A body as JSON, the text where it is none, null where there is none. */
export function readBody(text: string): unknown {
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    return readLoosely(text);
  }
}

/** Some servers write NaN and Infinity for metrics, which are no JSON. */
function readLoosely(text: string): unknown {
  try {
    return /\b(NaN|Infinity)\b/.test(text) ? JSON5.parse(text) : text;
  } catch {
    return text;
  }
}

/** A success, wholly read, whose `json()` takes what `readBody` takes. */
class Whole extends Response {
  override readonly json: () => Promise<unknown>;

  constructor(call: Call, from: Response, text: string) {
    const headers = new Headers(from.headers);
    headers.set("content-length", `${text.length}`); // else openapi-fetch parses by itself
    super(text || null, { status: from.status, headers });
    this.json = async () => {
      const body = readBody(text);
      if (typeof body === "string") throw unreadable("no JSON", call);
      return body;
    };
  }
}

function unreadable(what: string, { operation, requestId }: Call): APIError {
  return new APIResponseValidationError(`the answer is ${what}`, operation, requestId, true);
}
