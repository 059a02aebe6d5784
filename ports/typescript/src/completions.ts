/**
 * Reports which samples of a sampling session are complete, by one request for all of them.
 *
 * `rules/polling` then decides about the result as usual. If the request fails, samples are polled
 * one by one again. Only the responses of samples that wait are of interest, so that the loop ends
 * when none does and all results have been acknowledged.
 */

import type { Core } from "./core.js";
import type { Schemas } from "./gateway.js";

/** Seconds between two requests, and before one that only acknowledges. */
const INTERVAL = 0.1;
const ACKNOWLEDGE_DELAY = 1;
/** Seconds after which a sample is polled by itself, even if it was not reported. */
const MAX_WAIT = 60;

export class Completions {
  readonly #core: Core;
  readonly #target: Schemas["SamplingSessionFuturesTarget"];
  readonly #waiting = new Map<string, () => void>();
  readonly #completed = new Set<string>();
  readonly #fetched = new Set<string>();
  #cursor = 0;
  #acknowledged = 0;
  #running = false;
  #failed = false;

  constructor(core: Core, sampling_session_id: string) {
    this.#core = core;
    this.#target = { type: "sampling_session", sampling_session_id, cloned_sampler_id: 0 };
  }

  /** Waits until a request is complete, or must be polled by itself. */
  async wait(requestId: string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#failed || this.#completed.delete(requestId)) return;
    await new Promise<void>((resolve) => {
      this.#waiting.set(requestId, resolve);
      signal?.addEventListener("abort", () => this.#wake(requestId), { once: true });
      void this.#core.clock.sleep(MAX_WAIT, true).then(() => this.#wake(requestId));
      this.#start();
    });
  }

  /** Notes that the result of a request was fetched, so that the server may drop it. */
  acknowledge(requestId: string): void {
    if (this.#failed) return;
    this.#fetched.add(requestId);
    this.#start();
  }

  #wake(requestId: string): boolean {
    const resolve = this.#waiting.get(requestId);
    this.#waiting.delete(requestId);
    resolve?.();
    return resolve !== undefined;
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#run().finally(() => {
      this.#running = false;
      // A call may have come while the loop ended.
      if (this.#isNeeded && !this.#failed) this.#start();
    });
  }

  get #isNeeded(): boolean {
    return this.#waiting.size > 0 || this.#fetched.size > 0 || this.#cursor > this.#acknowledged;
  }

  async #run(): Promise<void> {
    try {
      while (this.#isNeeded) {
        if (!this.#waiting.size) await this.#core.clock.sleep(ACKNOWLEDGE_DELAY, true);
        await this.#poll();
        if (this.#waiting.size) await this.#core.clock.sleep(INTERVAL);
      }
    } catch {
      this.#failed = true;
      for (const requestId of [...this.#waiting.keys()]) this.#wake(requestId);
    }
  }

  async #poll(): Promise<void> {
    const [prev_cursor, fetched] = [this.#cursor, [...this.#fetched]];
    const wait = this.#waiting.size > 0;
    const { completions, cursor } = await this.#core.completions({
      target: this.#target,
      prev_cursor,
      retrieved_request_ids: fetched,
      ...(wait ? {} : { timeout: 0 }),
    });
    for (const requestId of fetched) this.#fetched.delete(requestId);
    this.#acknowledged = prev_cursor;
    this.#cursor = Math.max(prev_cursor, cursor);
    for (const { request_id } of completions ?? []) {
      if (!this.#wake(request_id) && !fetched.includes(request_id)) this.#completed.add(request_id);
    }
  }
}
