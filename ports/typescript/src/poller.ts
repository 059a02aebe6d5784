/** Polls for the result of a submitted request, as `rules/polling` decides. */

import type { Budget } from "./budget.js";
import {
  APIConnectionError,
  APIResponseValidationError,
  APIStatusError,
  DeadlineExceededError,
  GoneError,
  RequestFailedError,
} from "./errors.js";
import type { Gateway } from "./gateway.js";
import type { Retrier } from "./retrying.js";
import { classify, pollDelay, shouldPollAgain, type Outcome } from "./rules/polling.js";
import { POLICY } from "./rules/retry.js";
import type { Fields } from "./rules/redaction.js";

export class Poller {
  /**
   * `deadline` is the time limit for a result, in seconds. `alive` returns whether the server responds
   * to heartbeats; a poll that times out is then not a failure. `slots` limits concurrent polls.
   */
  constructor(
    readonly gateway: Gateway,
    readonly retrier: Retrier,
    readonly deadline: number,
    readonly alive: () => boolean,
    readonly slots: Budget,
  ) {}

  /** Returns the body of the result. No poll starts after `signal` is aborted. */
  async wait(requestId: string, operation: string, signal?: AbortSignal): Promise<Fields> {
    const { clock } = this.retrier;
    const until = clock.now() + this.deadline;
    let last = "";
    let [consecutive, since] = [0, 0];
    for (;;) {
      signal?.throwIfAborted();
      let started = clock.now();
      const poll = () => {
        started = clock.now(); // After the wait for a slot.
        return this.#poll(requestId, operation, Math.max(0, until - started));
      };
      const [outcome, serverDelay] = await this.slots.run(1, poll, signal);
      if (outcome.kind === "ready") return outcome.body;
      const now = clock.now();
      [consecutive, since] = outcome.kind === last ? [consecutive + 1, since] : [1, now];
      last = outcome.kind;
      if (!shouldPollAgain(outcome, consecutive, { streak: now - since })) {
        throw finalError(outcome, requestId, operation);
      }
      const held = now - started;
      const pause = pollDelay(outcome, consecutive, clock.jitter(), { held, serverDelay });
      if (now + pause >= until) {
        const message = `no result in ${this.deadline} s, last seen: ${JSON.stringify(outcome)}`;
        throw new DeadlineExceededError(message, "timeout", operation, requestId);
      }
      await clock.sleep(pause);
    }
  }

  /** Polls until there is a response, and returns its outcome and the server's delay. */
  async #poll(requestId: string, operation: string, left: number): Promise<[Outcome, number]> {
    const attempt = async (): Promise<[Outcome, number]> => {
      try {
        const { status, body } = await this.gateway.poll(operation, requestId);
        return [classify(status, body), 0];
      } catch (error) {
        if (error instanceof APIStatusError) {
          const outcome = classify(error.status, error.response.body);
          if (leftToRetryEngine(outcome, error)) throw error;
          return [outcome, error.retryAfter ?? 0];
        }
        const timedOut = error instanceof APIConnectionError && error.fault === "timeout";
        if (!timedOut || !this.alive()) throw error;
        return [{ kind: "try_again", queueState: "active", queueStateReason: null }, 0];
      }
    };
    const maxElapsed = Math.min(POLICY.maxElapsed, left);
    const billingMaxElapsed = Math.min(POLICY.billingMaxElapsed, left);
    return this.retrier.run(operation, attempt, { ...POLICY, maxElapsed, billingMaxElapsed });
  }
}

/** Whether the retry engine handles an error: it says nothing about the result, or has x-should-retry. */
function leftToRetryEngine(outcome: Outcome, error: APIStatusError): boolean {
  const shouldRetry = error.response.headers["x-should-retry"];
  if (shouldRetry === "true" || outcome.kind === "refused") return true;
  if (outcome.kind === "retry") return outcome.tolerated === null || shouldRetry === "false";
  return outcome.kind === "try_again" && shouldRetry === "false";
}

function finalError(outcome: Outcome, requestId: string, operation: string): Error {
  switch (outcome.kind) {
    case "failed":
      return new RequestFailedError(outcome.message, operation, requestId, outcome.category);
    case "gone": {
      const response = { status: 410, headers: {}, body: null, retryAfter: undefined };
      const message = "the server no longer has the result";
      return new GoneError(message, { ...response, category: undefined }, operation, requestId);
    }
    default:
      return new APIResponseValidationError(JSON.stringify(outcome), operation, requestId);
  }
}
