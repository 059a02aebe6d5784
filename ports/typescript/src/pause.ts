/** The pause of all requests with the same base URL and key, and the restart after it. */

import {
  RESTART_SECONDS,
  restartBackoff,
  restartBurst,
  restartDelay,
  restartFailures,
} from "./rules/limits.js";

/** Times are in seconds of the caller's monotonic clock. */
export class Pause {
  #began = -Infinity;
  #until = -Infinity;
  #released = -Infinity;
  #isReleased = true;
  /** Seconds that failed restarts have added to the server's pause. */
  #added = 0;
  /** Since the release: places given to requests, requests started, requests rejected. */
  #position = 0;
  #started = 0;
  #rejected = 0;
  #burst: number | undefined;
  #failures = 0;
  /** The status code that caused the latest pause. */
  status = 429;

  /** Pauses until `until`, unless the current pause lasts longer. */
  extend(now: number, until: number, status: number): void {
    this.#rejected += 1;
    if (now >= this.#until) [this.#began, this.#isReleased] = [now, false];
    if (until > this.#until) {
      [this.#until, this.status, this.#isReleased, this.#added] = [until, status, false, 0];
    }
  }

  /** Counts a request that starts. */
  start(): void {
    this.#started += 1;
  }

  /** Identifies the current pause: a request that slept starts only if no other pause began. */
  get until(): number {
    return this.#until;
  }

  /** How much later than the server's pause requests start, in seconds. */
  get added(): number {
    return this.#added;
  }

  /**
   * When the pause ends; after its end, when the caller starts, who takes the next place in the
   * restart (`isPlace`).
   */
  nextStart(now: number, jitter: () => number): { start: number; isPlace: boolean } {
    if (now >= this.#until && !this.#isReleased) this.#release(now, jitter());
    if (now < this.#until) return { start: this.#until, isPlace: false };
    const paused = this.#until - this.#began;
    if (this.#until === -Infinity || now >= this.#until + Math.min(paused, RESTART_SECONDS)) {
      return { start: -Infinity, isPlace: true };
    }
    const delay = restartDelay(this.#position++, paused, this.#burst);
    return { start: this.#until + delay, isPlace: true };
  }

  /** Adapts the restart to the share of requests that the server accepted after the last one. */
  #release(now: number, jitter: number): void {
    const paused = this.#until - this.#began;
    if (this.#began - this.#released > RESTART_SECONDS) {
      [this.#burst, this.#failures] = [undefined, 0];
    } else if (this.#started) {
      this.#burst = restartBurst(this.#started, this.#rejected);
      this.#failures = restartFailures(this.#failures, this.#started, this.#rejected, paused);
    }
    const until = now + restartBackoff(this.#failures, paused, jitter);
    [this.#added, this.#until] = [until - this.#until, until];
    [this.#released, this.#isReleased] = [until, true];
    [this.#position, this.#started, this.#rejected] = [0, 0, 0];
  }
}
