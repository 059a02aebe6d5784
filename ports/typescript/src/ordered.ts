/**
 * The requests of a model: submitted in the order of the calls; results are awaited independently.
 *
 * The server processes them by `seq_id`, from 1 and without gaps. A request is therefore sent after
 * the response to the previous one, and a number that the server rejected is reused. A number whose
 * response was lost is not reused, because the server may have counted it. Vectors: seq_ids.json.
 */

import { APIStatusError, ClientClosedError } from "./errors.js";
import { future, type Core } from "./core.js";
import type { Schemas, Send } from "./gateway.js";
import type { Fields } from "./rules/redaction.js";

/** Sends one request with its sequence number: as JSON, or as a protobuf message. */
export interface ChunkRequest {
  (seq_id: number): Send<Schemas["UntypedAPIFuture"]> | Uint8Array;
  /** The approximate bytes of its data. */
  readonly size?: number;
}

/** Status codes of proxies, which may have forwarded the request. */
const PROXY_STATUSES = new Set([502, 503, 504, 520, 521, 522, 523, 524]);

/** Whether the server itself rejected the request, so that its number can be reused. */
export function isReusable(status: number | null): boolean {
  return status !== null && status >= 300 && !PROXY_STATUSES.has(status);
}

export class OrderedRequests {
  readonly #core: Core;
  #turn: Promise<unknown> = Promise.resolve();
  #next = 1;
  #ended: ClientClosedError | undefined;
  readonly #pending = new Set<Promise<unknown>>();

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Submits consecutive requests; returns a future of `finish` applied to their results. The turn
   * of the call is its place in the order; `requests` is resolved when it comes.
   */
  start<T>(
    operation: string,
    requests: ChunkRequest[] | (() => Promise<ChunkRequest[]>),
    finish: (bodies: Fields[]) => T,
  ): Promise<T> {
    if (this.#ended) throw this.#ended;
    const submitted = this.#turn.then(async () =>
      this.#submit(operation, typeof requests === "function" ? await requests() : requests),
    );
    // A failure does not block the next call.
    this.#turn = submitted.catch(() => undefined);
    const results = submitted.then((requestIds) =>
      Promise.all(requestIds.map((requestId) => this.#core.result(requestId, operation))),
    );
    this.#pending.add(results);
    void results.catch(() => undefined).then(() => this.#pending.delete(results));
    return future(results.then(finish));
  }

  /** Runs `work` after all results have arrived. Later calls fail, unless `work` fails. */
  end(work: () => Promise<void>): Promise<void> {
    if (this.#ended) throw this.#ended;
    this.#ended = new ClientClosedError("the model was unloaded; create a new client");
    const ended = Promise.allSettled(this.#pending).then(work);
    ended.catch(() => (this.#ended = undefined));
    return future(ended);
  }

  async #submit(operation: string, requests: ChunkRequest[]): Promise<string[]> {
    const requestIds: string[] = [];
    for (const request of requests) {
      this.#core.session.check();
      const seqId = this.#next++;
      try {
        const submit = () => this.#send(operation, request(seqId));
        requestIds.push(await this.#core.trainingBytes.run(request.size ?? 0, submit));
      } catch (error) {
        if (error instanceof APIStatusError && isReusable(error.status)) this.#next = seqId;
        throw error;
      }
    }
    return requestIds;
  }

  #send(operation: string, send: ReturnType<ChunkRequest>): Promise<string> {
    return send instanceof Uint8Array
      ? this.#core.submitMessage(send)
      : this.#core.submit(operation, send);
  }
}
