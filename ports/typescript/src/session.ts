/** A session of the server: made on first need, kept alive by heartbeats. */

import { APIStatusError, ClientClosedError, SessionLostError, type TinkerError } from "./errors.js";
import type { Clock } from "./retrying.js";

/** Seconds between heartbeats, and until their silence is an error; release 0.4.1. */
const INTERVAL = 10;
const SILENCE_LIMIT = 120;

export class Session {
  #creating: Promise<string> | undefined;
  #ended: TinkerError | undefined;
  #lastBeat = -Infinity;
  #models = 0;
  #samplings = 0;

  constructor(
    readonly create: () => Promise<string>,
    readonly beat: (sessionId: string) => Promise<unknown>,
    readonly clock: Clock,
  ) {}

  /** Its id. It is created once, however many ask; a failed attempt is made again by the next. */
  async id(): Promise<string> {
    this.check();
    this.#creating ??= this.#start().catch((error: unknown) => {
      this.#creating = undefined;
      throw error;
    });
    return this.#creating;
  }

  /** Throws where the server does not hear this session any more. */
  check(): void {
    if (this.#ended) throw this.#ended;
    const silent = this.clock.now() - this.#lastBeat;
    if (this.#creating && this.#lastBeat > -Infinity && silent > SILENCE_LIMIT) {
      throw new SessionLostError(`no heartbeat has reached the server for ${silent.toFixed(0)} s`);
    }
  }

  get heardLately(): boolean {
    return this.clock.now() - this.#lastBeat <= SILENCE_LIMIT;
  }

  /** Models are counted from 0, and so are sampling sessions, saved weights without a name among them. */
  nextModel(): number {
    return this.#models++;
  }
  nextSampling(): number {
    return this.#samplings++;
  }

  close(): void {
    this.#ended = new ClientClosedError("the client is closed; make a new one");
  }

  async #start(): Promise<string> {
    const sessionId = await this.create();
    this.#lastBeat = this.clock.now();
    void this.#keepAlive(sessionId);
    return sessionId;
  }

  async #keepAlive(sessionId: string): Promise<void> {
    for (;;) {
      await this.clock.sleep(INTERVAL, true);
      if (this.#ended) return;
      try {
        await this.beat(sessionId);
        this.#lastBeat = this.clock.now();
      } catch (error) {
        // Whatever else it is, the next heartbeat follows anyway.
        if (error instanceof APIStatusError && error.status === 410) {
          this.#ended ??= new SessionLostError(`the server has ended session ${sessionId}`);
        }
      }
    }
  }
}
