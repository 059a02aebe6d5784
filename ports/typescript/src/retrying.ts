/** The only retry engine: `rules/retry` decides, this waits and sends again. */

import { setTimeout as sleep } from "node:timers/promises";

import { APIError, APIResponseValidationError, failureOf, statusError } from "./errors.js";
import { MAX_TOLERATED } from "./rules/polling.js";
import { decide, POLICY, windowOf, type Decision, type RetryPolicy } from "./rules/retry.js";

/** Time, waiting and chance; another one in tests. Seconds. */
export interface Clock {
  /** From any beginning, never backwards. */
  now(): number;
  /** Since 1970. */
  wall(): number;
  /** In [0, 1). */
  jitter(): number;
  /** Of these seconds, how many the process was suspended. */
  suspended(): number;
  /** `idle` waiting does not keep the program alive. */
  sleep(seconds: number, idle?: boolean): Promise<void>;
}

/** Seconds between two looks at whether the process runs. */
const TICK = 1;

/** A timer that comes more than its own length late shows that the process was suspended. */
class Suspension {
  #ticked = performance.now() / 1000;
  #before = 0;

  constructor() {
    const tick = () => {
      [this.#before, this.#ticked] = [this.seconds(), performance.now() / 1000];
    };
    setInterval(tick, TICK * 1000).unref();
  }

  seconds(): number {
    return this.#before + Math.max(0, performance.now() / 1000 - this.#ticked - 2 * TICK);
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

/** Until when everybody with the same base URL and key is held back, and by which status. */
interface Pause {
  until: number;
  status: number;
}

const pauses = new Map<string, Pause>();

export class Retrier {
  readonly #pause: Pause;

  /** `shared` names those who are paused together: base URL and key. */
  constructor(
    shared: string,
    readonly clock: Clock,
  ) {
    this.#pause = pauses.get(shared) ?? { until: -Infinity, status: 429 };
    pauses.set(shared, this.#pause);
  }

  /** The value of the first attempt that succeeds; the error of the last tells why it was that. */
  async run<T>(operation: string, attempt: () => Promise<T>, policy = POLICY): Promise<T> {
    const { clock } = this;
    const [started, suspended] = [clock.now(), clock.suspended()];
    let unreadable = 0;
    for (let made = 1; ; made += 1) {
      await this.#sitOutPause(operation, policy, started + clock.suspended() - suspended, made - 1);
      const before = clock.suspended();
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof APIError)) throw error;
        unreadable = error instanceof APIResponseValidationError ? unreadable + 1 : 0;
        const elapsed = clock.now() - started;
        const asleep = clock.suspended();
        // An answer that is none is put down to something in between, a few times.
        const patience = unreadable > MAX_TOLERATED ? { ...policy, maxAttempts: made } : policy;
        const awake = elapsed - (asleep - suspended);
        const decision = this.#decide(error, patience, made, awake, asleep > before);
        if (!decision.retry) throw error.gaveUp(made, elapsed, decision.reason);
        await clock.sleep(decision.delay);
      }
    }
  }

  #decide(
    error: APIError,
    policy: RetryPolicy,
    attempt: number,
    elapsed: number,
    resumed: boolean,
  ): Decision {
    const failure = failureOf(error);
    const { clock } = this;
    const moment = { attempt, elapsed, now: clock.wall(), jitter: clock.jitter(), resumed };
    const decision = decide(failure, policy, moment);
    const until = clock.now() + decision.delay;
    if (decision.retry && decision.shared && until > this.#pause.until) {
      [this.#pause.until, this.#pause.status] = [until, failure.status ?? 429];
    }
    return decision;
  }

  async #sitOutPause(operation: string, policy: RetryPolicy, started: number, made: number) {
    for (;;) {
      const { until, status } = this.#pause;
      const now = this.clock.now();
      if (now >= until) return;
      if (until - started > windowOf(policy, status)) {
        const told = {
          status,
          headers: {},
          body: null,
          retryAfter: until - now,
          category: undefined,
        };
        const words = `not sent: all with this key pause for ${(until - now).toFixed(1)} s more`;
        const reason = "the shared pause does not fit into the time for attempts";
        throw new (statusError(status))(words, told, operation).gaveUp(made, now - started, reason);
      }
      await this.clock.sleep(until - now);
    }
  }
}
