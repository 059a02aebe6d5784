/** Helpers of the tests: simulated clocks and a scripted server. */

import { ServiceClient, type Settings } from "../src/index.js";
import type { Clock } from "../src/retrying.js";

/** The vectors and the specification, relative to the compiled tests. */
export const VECTORS = new URL("../../../conformance/vectors/", import.meta.url);
export const SPECIFICATION = new URL(
  "../../../../generated/tinker_api/openapi.json",
  import.meta.url,
);

/** A clock whose `sleep` records the delay, advances the time and returns at once. */
export class SimulatedClock implements Clock {
  readonly slept: number[] = [];
  #now: number;
  #suspended = 0;

  constructor(now = 1000) {
    this.#now = now;
  }

  now = (): number => this.#now;
  wall = (): number => 1_000_000_000 + this.#now;
  jitter = (): number => 0.5;
  suspended = (): number => this.#suspended;

  async sleep(seconds: number): Promise<void> {
    this.slept.push(seconds);
    this.pass(seconds);
  }

  pass(seconds: number): void {
    this.#now += seconds;
  }

  /** Simulates a suspension of the process. */
  suspend(seconds: number): void {
    this.pass(seconds);
    this.#suspended += seconds;
  }
}

/** A clock whose `sleep` returns when the test calls `step`. */
export class SteppedClock extends SimulatedClock {
  #waiting: (() => void)[] = [];

  override sleep(seconds: number): Promise<void> {
    this.slept.push(seconds);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async step(seconds: number): Promise<void> {
    this.pass(seconds);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
    await settled();
  }
}

/** Waits until all pending callbacks have run. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
}

export interface RecordedRequest {
  readonly method: string;
  /** The path without its prefix. */
  readonly operation: string;
  readonly query: string;
  readonly headers: Headers;
  readonly body: any;
}
export type Script = Scripted | Promise<Scripted> | (() => Scripted);
export type Scripted =
  | Error
  | { status?: number; body?: unknown; headers?: Record<string, string> };

/** Returns the responses scripted for an operation in order, then successful ones. */
export class ScriptedServer {
  readonly requests: RecordedRequest[] = [];
  readonly #scripts = new Map<string, Script[]>();
  #submitted = 0;

  script(operation: string, ...responses: Script[]): void {
    this.#scripts.set(operation, [...(this.#scripts.get(operation) ?? []), ...responses]);
  }

  /** Discards the remaining script of an operation. */
  forget(operation: string): void {
    this.#scripts.delete(operation);
  }

  /** Returns the requests to an operation. */
  sent(operation: string): RecordedRequest[] {
    return this.requests.filter((request) => request.operation === operation);
  }

  fetch = async (request: Request): Promise<Response> => {
    const { pathname, search: query } = new URL(request.url);
    const operation = pathname.replace("/api/v1/", "");
    const content = Buffer.from(await request.arrayBuffer());
    const isMessage = request.headers.get("content-type") === "application/x-protobuf";
    const json = content.length && !isMessage ? JSON.parse(content.toString()) : null;
    const body = isMessage ? { message: content.toString("base64") } : json;
    const { method, headers: sent } = request;
    const recorded = { method, operation, query, headers: sent, body };
    this.requests.push(recorded);
    const script = this.#scripts.get(operation)?.shift() ?? this.#success(recorded);
    const scripted = await (typeof script === "function" ? script() : script);
    if (scripted instanceof Error) throw scripted;
    const { status = 200, body: reply, headers = {} } = scripted;
    const isText = typeof reply === "string" || reply instanceof Uint8Array;
    const encoded = isText ? (reply as string | Uint8Array<ArrayBuffer>) : JSON.stringify(reply);
    return new Response(reply === undefined ? null : encoded, { status, headers });
  };

  #success({ operation, body }: RecordedRequest): Scripted {
    if (operation === "client/config") return { body: {} };
    if (operation === "create_session") return { body: { session_id: "session" } };
    if (operation === "create_sampling_session")
      return { body: { sampling_session_id: "sampling" } };
    if (operation !== "retrieve_future") {
      // Some servers number their requests.
      return { body: { request_id: operation === "create_model" ? "create" : ++this.#submitted } };
    }
    return {
      body: body.request_id === "create" ? { model_id: "model" } : { path: "tinker://x/y" },
    };
  }
}

let servers = 0;

/** Creates a client of a scripted server with simulated time and its own shared pause. */
export function scripted({
  deadline = 7200,
  heart = new SteppedClock() as Clock,
  protocol = "0.4.1" as Settings["protocol"],
  maxSamplesInFlight = undefined as number | undefined,
  maxTrainingBytesInFlight = undefined as number | undefined,
} = {}) {
  const [server, clock] = [new ScriptedServer(), new SimulatedClock()];
  const settings = {
    baseUrl: `http://scripted-${(servers += 1)}`,
    apiKey: "tml-0123456789",
    fetch: server.fetch,
    clock,
    heart,
    deadline,
    protocol,
    maxSamplesInFlight,
    maxTrainingBytesInFlight,
  };
  return { server, clock, settings, service: new ServiceClient(settings) };
}
