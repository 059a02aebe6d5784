/** Fetches the result of submitted work: the loop around `rules/polling`. */

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
import type { Fields } from "./rules/words.js";

export class Poller {
  /**
   * `deadline` is the longest wait for a result, in seconds. `alive` says whether the server answers
   * other requests: then a poll that it holds for longer than we let it is no failure.
   */
  constructor(
    readonly gateway: Gateway,
    readonly retrier: Retrier,
    readonly deadline: number,
    readonly alive: () => boolean,
  ) {}

  /** The body of the result. */
  async wait(requestId: string, operation: string): Promise<Fields> {
    const { clock } = this.retrier;
    const until = clock.now() + this.deadline;
    let last = "";
    let [consecutive, since] = [0, 0];
    for (;;) {
      const asked = clock.now();
      const [outcome, serverDelay] = await this.#ask(requestId, operation, until - asked);
      if (outcome.kind === "ready") return outcome.body;
      const now = clock.now();
      [consecutive, since] = outcome.kind === last ? [consecutive + 1, since] : [1, now];
      last = outcome.kind;
      if (!shouldPollAgain(outcome, consecutive, { streak: now - since })) {
        throw finalError(outcome, requestId, operation);
      }
      const held = now - asked;
      const pause = pollDelay(outcome, consecutive, clock.jitter(), { held, serverDelay });
      if (now + pause >= until) {
        const words = `no result in ${this.deadline} s, last seen: ${JSON.stringify(outcome)}`;
        throw new DeadlineExceededError(words, "timeout", operation, requestId);
      }
      await clock.sleep(pause);
    }
  }

  /** One poll that got through, and the pause that its headers ask for. */
  async #ask(requestId: string, operation: string, left: number): Promise<[Outcome, number]> {
    const once = async (): Promise<[Outcome, number]> => {
      try {
        const { status, body } = await this.gateway.poll(operation, requestId);
        return [classify(status, body), 0];
      } catch (error) {
        if (error instanceof APIStatusError) {
          const outcome = classify(error.status, error.answer.body);
          if (isTheEngines(outcome, error)) throw error;
          return [outcome, error.retryAfter ?? 0];
        }
        const timedOut = error instanceof APIConnectionError && error.fault === "timeout";
        if (!timedOut || !this.alive()) throw error;
        return [{ kind: "try_again", queueState: "active", queueStateReason: null }, 0];
      }
    };
    const maxElapsed = Math.min(POLICY.maxElapsed, left);
    const billingMaxElapsed = Math.min(POLICY.billingMaxElapsed, left);
    return this.retrier.run(operation, once, { ...POLICY, maxElapsed, billingMaxElapsed });
  }
}

/** Whether the retry engine decides what follows: no news, or the server has its own opinion. */
function isTheEngines(outcome: Outcome, error: APIStatusError): boolean {
  const wish = error.answer.headers["x-should-retry"];
  if (wish === "true" || outcome.kind === "refused") return true;
  if (outcome.kind === "retry") return outcome.tolerated === null || wish === "false";
  return outcome.kind === "try_again" && wish === "false";
}

function finalError(outcome: Outcome, requestId: string, operation: string): Error {
  switch (outcome.kind) {
    case "failed":
      return new RequestFailedError(outcome.message, operation, requestId, outcome.category);
    case "gone": {
      const told = { status: 410, headers: {}, body: null, retryAfter: undefined };
      const words = "the server no longer has the result";
      return new GoneError(words, { ...told, category: undefined }, operation, requestId);
    }
    default:
      return new APIResponseValidationError(JSON.stringify(outcome), operation, requestId);
  }
}
