/** The retry engine: `rules/retry` decides, this module waits and retries. */

import { setTimeout as sleep } from "node:timers/promises";

import {
  APIError,
  APIResponseValidationError,
  APIStatusError,
  failureOf,
  statusError,
} from "./errors.js";
import { Pause } from "./pause.js";
import { MAX_MALFORMED } from "./rules/polling.js";
import {
  decide,
  IMMEDIATE,
  POLICY,
  windowOf,
  type Decision,
  type Failure,
  type RetryPolicy,
} from "./rules/retry.js";

/** Time, delays and random numbers; replaced in tests. All times are in seconds. */
export interface Clock {
  /** Monotonic. */
  now(): number;
  /** Unix time. */
  wall(): number;
  /** A random number in [0, 1). */
  jitter(): number;
  /** How much of `now` the process was suspended. */
  suspended(): number;
  /** An `idle` timer does not keep the process alive. */
  sleep(seconds: number, idle?: boolean): Promise<void>;
}

/** Seconds between two checks for a suspension. */
const TICK = 1;

/** Detects suspensions of the process by a timer that fires late by more than its interval. */
class Suspension {
  #ticked = performance.now() / 1000;
  #earlier = 0;

  constructor() {
    const tick = () => {
      [this.#earlier, this.#ticked] = [this.seconds(), performance.now() / 1000];
    };
    setInterval(tick, TICK * 1000).unref();
  }

  seconds(): number {
    return this.#earlier + Math.max(0, performance.now() / 1000 - this.#ticked - 2 * TICK);
  }
}

const suspension = new Suspension();

export const REAL_CLOCK: Clock = {
  now: () => performance.now() / 1000,
  wall: () => Date.now() / 1000,
  jitter: Math.random,
  suspended: () => suspension.seconds(),
  sleep: (seconds, idle = false) => sleep(seconds * 1000, undefined, { ref: !idle }),
};

const pauses = new Map<string, Pause>();

export class Retrier {
  readonly #pause: Pause;

  /** `shared` is the base URL and key; requests with the same value share a pause. */
  constructor(
    shared: string,
    readonly clock: Clock,
  ) {
    this.#pause = pauses.get(shared) ?? new Pause();
    pauses.set(shared, this.#pause);
  }

  /** Returns the value of the first successful attempt, or throws the last error with a reason. */
  async run<T>(operation: string, attempt: () => Promise<T>, policy = POLICY): Promise<T> {
    const { clock } = this;
    const [started, suspended] = [clock.now(), clock.suspended()];
    let unreadable = 0;
    let [identical, previous] = [0, ""];
    for (let attempts = 1; ; attempts += 1) {
      const begun = started + clock.suspended() - suspended;
      await this.#awaitSharedPause(operation, policy, begun, attempts - 1);
      const [before, sent] = [clock.suspended(), clock.now()];
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof APIError)) throw error;
        unreadable = error instanceof APIResponseValidationError ? unreadable + 1 : 0;
        const response = clock.now() - sent <= IMMEDIATE ? responseOf(error) : "";
        identical = response === "" ? 0 : response === previous ? identical + 1 : 1;
        previous = response;
        const elapsed = clock.now() - started;
        const asleep = clock.suspended();
        // A few unreadable responses in a row are tolerated as a proxy's doing.
        const limited = unreadable > MAX_MALFORMED ? { ...policy, maxAttempts: attempts } : policy;
        const awake = elapsed - (asleep - suspended);
        const failure = { ...failureOf(error), identical };
        const decision = this.#decide(failure, limited, attempts, awake, asleep > before);
        if (!decision.retry) throw error.gaveUp(attempts, elapsed, decision.reason);
        await clock.sleep(decision.delay);
      }
    }
  }

  #decide(
    failure: Failure,
    policy: RetryPolicy,
    attempt: number,
    elapsed: number,
    resumed: boolean,
  ): Decision {
    const { clock } = this;
    const moment = { attempt, elapsed, now: clock.wall(), jitter: clock.jitter(), resumed };
    const decision = decide(failure, policy, moment);
    if (decision.retry && decision.shared) {
      const now = clock.now();
      this.#pause.extend(now, now + decision.delay, failure.status ?? 429);
    }
    return decision;
  }

  /** Waits for the end of the shared pause and for the place of this request after it. */
  async #awaitSharedPause(
    operation: string,
    policy: RetryPolicy,
    started: number,
    attempts: number,
  ) {
    const [pause, { clock }] = [this.#pause, this];
    for (;;) {
      const now = clock.now();
      const { start, isPlace } = pause.nextStart(now, clock.jitter);
      if (start <= now) break;
      const { until, status } = pause;
      const deadline = started + windowOf(policy, status);
      if (start - pause.added > deadline) {
        const response = {
          status,
          headers: {},
          body: null,
          retryAfter: start - now,
          category: undefined,
        };
        const left = (start - now).toFixed(1);
        const message = `not sent: all requests with this key are paused for another ${left} s`;
        const reason = "the shared pause does not fit into the window";
        const error = new (statusError(status))(message, response, operation);
        throw error.gaveUp(attempts, now - started, reason);
      }
      await clock.sleep(Math.max(0, Math.min(start, deadline) - now));
      // A pause that began during the sleep holds this request back again.
      if (pause.until === until && (isPlace || start > deadline)) break;
    }
    pause.start();
  }
}

/** The status and body of an error response as text; "" if there was no response. */
function responseOf(error: APIError): string {
  return error instanceof APIStatusError ? JSON.stringify([error.status, error.response.body]) : "";
}
