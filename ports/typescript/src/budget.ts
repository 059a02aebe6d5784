/** Limits the work in flight, first come, first served, as `rules/limits` decides. */

import { admit } from "./rules/limits.js";

interface Waiter {
  readonly size: number;
  readonly start: () => void;
}

export class Budget {
  readonly #queue: Waiter[] = [];
  #limit: number;
  #used = 0;
  #holders = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Changes the limit; work in flight continues. */
  resize(limit: number): void {
    this.#limit = limit;
    this.#admit();
  }

  /** Runs `work` as soon as `size` fits. It does not start after `signal` is aborted. */
  async run<T>(size: number, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#take(size, signal);
    try {
      return await work();
    } finally {
      this.#used -= size;
      this.#holders -= 1;
      this.#admit();
    }
  }

  #take(size: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const start = () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const waiter = { size, start };
      const abort = () => {
        this.#queue.splice(this.#queue.indexOf(waiter), 1);
        reject(signal?.reason);
        this.#admit(); // it may have held up a smaller one
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#queue.push(waiter);
      this.#admit();
    });
  }

  #admit(): void {
    const usage = { limit: this.#limit, used: this.#used, holders: this.#holders };
    const sizes = this.#queue.map(({ size }) => size);
    for (const { size, start } of this.#queue.splice(0, admit(usage, sizes))) {
      this.#used += size;
      this.#holders += 1;
      start();
    }
  }
}
