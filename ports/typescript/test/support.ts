/** What the tests share: time that passes by waiting only, a server that says what it is told. */

import { ServiceClient } from "../src/index.js";
import type { Clock } from "../src/retrying.js";

/** The conformance kit and the specification, seen from where the compiled tests are. */
export const VECTORS = new URL("../../../conformance/vectors/", import.meta.url);
export const SPECIFICATION = new URL(
  "../../../../generated/tinker_api/openapi.json",
  import.meta.url,
);

/** Nobody waits: each pause is noted, and over. */
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

  /** The process is suspended for so long. */
  suspend(seconds: number): void {
    this.pass(seconds);
    this.#suspended += seconds;
  }
}

/** Whoever waits goes on when the test lets time pass. */
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

/** Until nothing is left to do but wait for others. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
}

export interface Seen {
  readonly operation: string;
  readonly headers: Headers;
  readonly body: any;
}
export type Script = Scripted | Promise<Scripted> | (() => Scripted);
export type Scripted =
  | Error
  | { status?: number; body?: unknown; headers?: Record<string, string> };

/** Answers what was scripted for an operation, one after the other, then as if all went well. */
export class ScriptedServer {
  readonly seen: Seen[] = [];
  readonly #scripts = new Map<string, Script[]>();
  #made = 0;

  script(operation: string, ...answers: Script[]): void {
    this.#scripts.set(operation, [...(this.#scripts.get(operation) ?? []), ...answers]);
  }

  /** Whatever was scripted for an operation, all goes well from now on. */
  forget(operation: string): void {
    this.#scripts.delete(operation);
  }

  /** What was sent to an operation. */
  sent(operation: string): Seen[] {
    return this.seen.filter((one) => one.operation === operation);
  }

  fetch = async (request: Request): Promise<Response> => {
    const operation = new URL(request.url).pathname.replace("/api/v1/", "");
    const text = await request.text();
    const seen = { operation, headers: request.headers, body: text ? JSON.parse(text) : null };
    this.seen.push(seen);
    const script = this.#scripts.get(operation)?.shift() ?? this.#usual(seen);
    const scripted = await (typeof script === "function" ? script() : script);
    if (scripted instanceof Error) throw scripted;
    const { status = 200, body, headers = {} } = scripted;
    const written = typeof body === "string" ? body : JSON.stringify(body);
    return new Response(body === undefined ? null : written, { status, headers });
  };

  #usual({ operation, body }: Seen): Scripted {
    if (operation === "create_session") return { body: { session_id: "session" } };
    if (operation === "create_sampling_session")
      return { body: { sampling_session_id: "sampling" } };
    if (operation !== "retrieve_future") {
      // Some servers number their requests.
      return { body: { request_id: operation === "create_model" ? "made" : ++this.#made } };
    }
    return { body: body.request_id === "made" ? { model_id: "model" } : { path: "tinker://x/y" } };
  }
}

let servers = 0;

/** A client of a scripted server, with simulated time. Each has a pause of its own. */
export function scripted({ deadline = 7200, heart = new SteppedClock() as Clock } = {}) {
  const [server, clock] = [new ScriptedServer(), new SimulatedClock()];
  const settings = {
    baseUrl: `http://scripted-${(servers += 1)}`,
    apiKey: "tml-0123456789",
    fetch: server.fetch,
    clock,
    heart,
    deadline,
  };
  return { server, clock, settings, service: new ServiceClient(settings) };
}
