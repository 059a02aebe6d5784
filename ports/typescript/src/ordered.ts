/**
 * One model's requests: submitted in the order they were made, their results awaited apart.
 *
 * The server works through them by `seq_id`, from 1 and without gaps: the next number waits for the
 * one before it. So the next request is not sent before the one before it was answered, and a number
 * that the server refused is used again. One whose answer was lost is not: it may have been counted.
 * Vectors: seq_ids.json.
 */

import { APIStatusError } from "./errors.js";
import { future, type Core } from "./core.js";
import type { Schemas, Send } from "./gateway.js";
import type { Fields } from "./rules/words.js";

/** How to send one request under its number. */
export type Part = (seq_id: number) => Send<Schemas["UntypedAPIFuture"]>;

/** Answers of something between us and the server, which may have passed the request on. */
const PROXY_STATUSES = new Set([502, 503, 504, 520, 521, 522, 523, 524]);

/** Whether the server itself said no, so that it has not counted the request's number. */
export function isReusable(status: number | null): boolean {
  return status !== null && status >= 300 && !PROXY_STATUSES.has(status);
}

export class OrderedRequests {
  readonly #core: Core;
  #turn: Promise<unknown> = Promise.resolve();
  #next = 1;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Submit `parts`, which follow each other directly; a future of `finish` of their results. */
  start<T>(operation: string, parts: Part[], finish: (bodies: Fields[]) => T): Promise<T> {
    const submitted = this.#turn.then(() => this.#submit(operation, parts));
    // One that failed lets the next one go.
    this.#turn = submitted.catch(() => undefined);
    const results = submitted.then((requestIds) =>
      Promise.all(requestIds.map((requestId) => this.#core.result(requestId, operation))),
    );
    return future(results.then(finish));
  }

  async #submit(operation: string, parts: Part[]): Promise<string[]> {
    const requestIds: string[] = [];
    for (const part of parts) {
      this.#core.session.check();
      const seqId = this.#next++;
      try {
        requestIds.push(await this.#core.submit(operation, part(seqId)));
      } catch (error) {
        if (error instanceof APIStatusError && isReusable(error.status)) this.#next = seqId;
        throw error;
      }
    }
    return requestIds;
  }
}
