/** A session: created on first use, kept alive by heartbeats. */

import { APIStatusError, ClientClosedError, SessionLostError, type TinkerError } from "./errors.js";
import type { Clock } from "./retrying.js";

/** Seconds between heartbeats, and without a response before calls fail (0.4.1). */
const INTERVAL = 10;
const MAX_SILENCE = 120;

export class Session {
  #creating: Promise<string> | undefined;
  #id: string | undefined;
  #ended: TinkerError | undefined;
  #lastBeat = -Infinity;
  #models = 0;
  #samplings = 0;

  constructor(
    readonly create: () => Promise<string>,
    readonly beat: (sessionId: string) => Promise<unknown>,
    readonly clock: Clock,
  ) {}

  /** Returns the id. Concurrent calls create one session; after a failure the next call retries. */
  async id(): Promise<string> {
    this.check();
    this.#creating ??= this.#start().catch((error: unknown) => {
      this.#creating = undefined;
      throw error;
    });
    return this.#creating;
  }

  /** Throws if the client is closed or the session is lost. */
  check(): void {
    if (this.#ended) throw this.#ended;
    const silent = this.clock.now() - this.#lastBeat;
    if (this.#creating && this.#lastBeat > -Infinity && silent > MAX_SILENCE) {
      throw new SessionLostError(`no heartbeat has reached the server for ${silent.toFixed(0)} s`);
    }
  }

  get isAlive(): boolean {
    return this.clock.now() - this.#lastBeat <= MAX_SILENCE;
  }

  /** Models are numbered from 0, and so are sampling sessions, including unnamed saved weights. */
  nextModel(): number {
    return this.#models++;
  }
  nextSampling(): number {
    return this.#samplings++;
  }

  /** Ends the session; returns the id of one that the server has not ended, the first time. */
  close(): string | undefined {
    const open = this.#ended ? undefined : this.#id;
    this.#ended = new ClientClosedError("the client is closed; create a new one");
    return open;
  }

  async #start(): Promise<string> {
    const sessionId = await this.create();
    this.#id = sessionId;
    this.#lastBeat = this.clock.now();
    void this.#keepAlive(sessionId);
    return sessionId;
  }

  /** Starts each heartbeat ten seconds after the start of the previous one; one is in flight. */
  async #keepAlive(sessionId: string): Promise<void> {
    let started = this.clock.now();
    for (;;) {
      await this.clock.sleep(Math.max(0, started + INTERVAL - this.clock.now()), true);
      if (this.#ended) return;
      started = this.clock.now();
      try {
        await this.beat(sessionId);
        this.#lastBeat = this.clock.now();
      } catch (error) {
        // After any other error, the next heartbeat follows as usual.
        if (error instanceof APIStatusError && error.status === 410) {
          this.#ended ??= new SessionLostError(`the server has ended session ${sessionId}`);
        }
      }
    }
  }
}
