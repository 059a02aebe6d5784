/**
 * The meaning of a `retrieve_future` response, the delay after it, and whether to poll again.
 * Vectors: polling.json.
 */

import { backoff, POLICY, type Category } from "./retry.js";
import { isObject, redact, serverWords, shorten, type Fields } from "./redaction.js";

export const QUEUE_STATES = ["active", "paused_capacity", "paused_rate_limit"] as const;
export type QueueState = (typeof QUEUE_STATES)[number] | "unknown";

export type Outcome =
  | { kind: "ready"; body: Fields }
  | { kind: "try_again"; queueState: QueueState; queueStateReason: string | null }
  | { kind: "metadata_only"; size: number }
  | { kind: "gone" }
  | { kind: "failed"; message: string; category: Category; status: number }
  | { kind: "refused"; status: number; message: string }
  // `status` is absent if there was no response; `tolerated` limits consecutive outcomes.
  | { kind: "retry"; status?: number; tolerated: number | null }
  | { kind: "malformed"; why: string; tolerated: number };

/** Consecutive responses with status 400 and no message tolerated as a proxy's doing. */
export const MAX_TOLERATED = 3;
/** Consecutive malformed successes tolerated as a proxy's doing. */
export const MAX_MALFORMED = 6;
const HELD_SECONDS = 1;
const MIN_PAUSE = 0.05;
const WAIT_BASE = 0.1;
const WAIT_CAP = 2;

/** Classifies a response: `body` is parsed JSON, the text if it is not JSON, or null. */
export function classify(status: number, body: unknown): Outcome {
  if (status >= 200 && status < 300) return success(status, body);
  if (status === 408) return tryAgain(isObject(body) ? body : {});
  if (status === 410) return { kind: "gone" };
  if (status === 402 || status === 429 || status >= 500) {
    return { kind: "retry", status, tolerated: null };
  }
  const message = serverWords(body);
  if (status === 400 && !message) return { kind: "retry", status, tolerated: MAX_TOLERATED };
  if ([400, 409, 422].includes(status)) return failed(status, body);
  return { kind: "refused", status, message };
}

function success(status: number, body: unknown): Outcome {
  if (!isObject(body)) {
    if ((status === 202 || status === 204) && (body === null || body === "")) return tryAgain({});
    return { kind: "malformed", why: "expected a JSON object", tolerated: MAX_MALFORMED };
  }
  const type = body["type"] ?? null;
  if (type === "try_again" || (type === null && "queue_state" in body)) return tryAgain(body);
  if (type === "request_failed" || (body["error"] ?? null) !== null) return failed(status, body);
  if (body["status"] === "complete_metadata") return metadata(body["response_payload_size"]);
  return { kind: "ready", body };
}

function tryAgain(body: Fields): Outcome {
  const state = QUEUE_STATES.find((known) => known === body["queue_state"]) ?? "unknown";
  const reason = body["queue_state_reason"];
  const text = typeof reason === "string" ? shorten(redact(reason), 200) : "";
  return { kind: "try_again", queueState: state, queueStateReason: text || null };
}

function failed(status: number, body: unknown): Outcome {
  const message = serverWords(body) || "the server gives no reason";
  // A client error instead of a result is a user error unless the body names another category.
  const category = categoryOf(body) ?? (status < 300 ? "unknown" : "user");
  return { kind: "failed", message, category, status };
}

function metadata(size: unknown): Outcome {
  if (typeof size === "number" && Number.isInteger(size) && size >= 0) {
    return { kind: "metadata_only", size };
  }
  return { kind: "malformed", why: "complete_metadata without a size", tolerated: MAX_MALFORMED };
}

/** The category in a body; undefined if it has none. */
export function categoryOf(body: unknown): Category | undefined {
  const category = isObject(body) ? (body["category"] ?? null) : null;
  return category === null ? undefined : parseCategory(category);
}

export function parseCategory(value: unknown): Category {
  if (typeof value !== "string") return "unknown";
  const word = value
    .trim()
    .toLowerCase()
    .replace(/_error$/, "");
  return word === "server" || word === "user" ? word : "unknown";
}

/** Seconds before the next poll; 0 if none follows. `held` is the response time. */
export function pollDelay(
  outcome: Outcome,
  consecutive: number,
  jitter: number,
  { held = 0, serverDelay = 0 } = {},
): number {
  switch (outcome.kind) {
    case "try_again":
      return Math.max(
        serverDelay,
        held >= HELD_SECONDS ? 0 : idlePause(outcome, consecutive, jitter),
      );
    case "metadata_only": // The first is followed by a poll for the result itself.
      return Math.max(serverDelay, consecutive <= 1 ? 0 : pause(consecutive - 1, jitter));
    case "retry":
    case "malformed": {
      const unpaid = outcome.kind === "retry" && outcome.status === 402;
      return Math.max(serverDelay, unpaid ? POLICY.billingPause : pause(consecutive, jitter));
    }
    default:
      return 0;
  }
}

function idlePause(outcome: { queueState: QueueState }, consecutive: number, jitter: number) {
  return outcome.queueState.startsWith("paused")
    ? pause(consecutive, jitter)
    : pause(consecutive, jitter, WAIT_BASE, WAIT_CAP);
}

function pause(attempt: number, jitter: number, base?: number, cap?: number): number {
  return Math.max(MIN_PAUSE, backoff(attempt, jitter, base, cap));
}

/** Whether another poll may follow; `streak` is the time since the first outcome of this kind. */
export function shouldPollAgain(
  outcome: Outcome,
  consecutive: number,
  { streak = 0, window = POLICY.maxElapsed } = {},
): boolean {
  switch (outcome.kind) {
    case "try_again":
    case "metadata_only":
      return true;
    case "retry":
      if (outcome.status === 402) return streak < Math.max(window, POLICY.billingMaxElapsed);
      return consecutive <= (outcome.tolerated ?? Infinity) && streak < window;
    case "malformed":
      return consecutive <= outcome.tolerated && streak < window;
    default:
      return false;
  }
}
