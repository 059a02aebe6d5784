/**
 * Limits on requests in flight, and the ramp-up of traffic after a shared pause.
 * Vectors: limits.json.
 */

import type { Schemas } from "../gateway.js";

/** Requests that start at once after the first pause, and at the end of the ramp. */
const RESTART_REQUESTS = 10;
const RESTART_FULL = 400;
/** The longest ramp, in seconds. */
export const RESTART_SECONDS = 10;
/** The largest extension of a pause after failed restarts, in seconds. */
const RESTART_BACKOFF_CAP = 4;
/** Estimated bytes of a token or a number (0.38.0). */
const TOKEN_BYTES = 10;

/** How much of a limit is in use, and by how many holders. */
export interface Usage {
  readonly limit: number;
  readonly used: number;
  readonly holders: number;
}

/**
 * The number of requests that may start, from the head of the queue: a size that does not fit blocks
 * those behind it. A size above the limit is admitted alone.
 */
export function admit({ limit, used, holders }: Usage, waiting: Iterable<number>): number {
  let admitted = 0;
  for (const size of waiting) {
    if (holders + admitted > 0 && used + size > limit) break;
    [used, admitted] = [used + size, admitted + 1];
  }
  return admitted;
}

/** The requests that start at once after the next pause: twice as many as were accepted before it. */
export function restartBurst(started: number, rejected: number): number {
  return Math.min(Math.max(1, 2 * (started - rejected)), RESTART_FULL);
}

/**
 * The count of failed restarts after one more: it increases if at least half of the requests were
 * rejected, up to the largest backoff, and decreases otherwise. `paused` is the length of the next
 * pause in seconds.
 */
export function restartFailures(
  failures: number,
  started: number,
  rejected: number,
  paused: number,
): number {
  if (2 * rejected < started) return Math.max(0, failures - 1);
  return paused * 2 ** failures < RESTART_BACKOFF_CAP ? failures + 1 : failures;
}

/** Extra seconds of a pause after a number of failed restarts, from `restartFailures`. */
export function restartBackoff(failures: number, paused: number, jitter: number): number {
  return failures < 1 ? 0 : jitter * Math.min(RESTART_BACKOFF_CAP, paused * 2 ** failures);
}

/**
 * Seconds after a pause of `paused` seconds at which the request at `position`, from 0, starts: the
 * first `burst` at once, then geometrically more until the end of the ramp.
 */
export function restartDelay(position: number, paused: number, burst = RESTART_REQUESTS): number {
  if (position < burst) return 0;
  const growth = Math.log(Math.max(RESTART_FULL, burst + 1) / burst);
  return Math.min(paused, RESTART_SECONDS) * (Math.log((position + 1) / burst) / growth);
}

/** Estimates the bytes of a prompt in a request, as 0.38.0 does. */
export function promptBytes(prompt: Schemas["ModelInput"]): number {
  const sizes = prompt.chunks.map((chunk) => {
    if (chunk.type === "encoded_text") return chunk.tokens.length * TOKEN_BYTES;
    if ("data" in chunk) return Buffer.byteLength(chunk.data, "base64");
    return "location" in chunk ? chunk.location.length : 0;
  });
  return sizes.reduce((a, b) => a + b, 0);
}

/** Estimates the bytes of a datum in a request. */
export function datumBytes({ model_input, loss_fn_inputs }: Schemas["Datum"]): number {
  const numbers = Object.values(loss_fn_inputs).map(({ data }) => data.length);
  return promptBytes(model_input) + TOKEN_BYTES * numbers.reduce((a, b) => a + b, 0);
}
