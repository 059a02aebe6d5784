/**
 * Every error this client throws on purpose:
 *
 *     TinkerError
 *     ├── APIError                        something went wrong while talking to a server
 *     │   ├── APIStatusError              an error status; STATUS_ERRORS has a class for some
 *     │   ├── APIConnectionError          no answer, or half of one
 *     │   │   └── DeadlineExceededError   the whole wait is over
 *     │   └── APIResponseValidationError  an answer that can't be understood
 *     ├── RequestFailedError              the server did the work and reports its failure
 *     ├── InvalidInputError               a bad argument or setting; nothing was sent
 *     ├── ClientClosedError               used after close()
 *     └── SessionLostError                the server no longer hears this session
 */

import type { Category, Failure, Fault } from "./rules/retry.js";
import { redact } from "./rules/words.js";

export class TinkerError extends Error {
  constructor(message: string) {
    super(redact(message));
    this.name = new.target.name;
  }
}

export class APIError extends TinkerError {
  /** Requests sent, and why there was no further one; told by the retry engine. */
  attempts = 0;
  reason = "";

  constructor(
    message: string,
    readonly operation: string,
    readonly requestId?: string | undefined,
  ) {
    super(`${operation}: ${message}${requestId ? ` [request id ${requestId}]` : ""}`);
  }

  gaveUp(attempts: number, elapsed: number, reason: string): this {
    [this.attempts, this.reason] = [attempts, reason];
    this.message += ` [attempts ${attempts} in ${elapsed.toFixed(1)} s; not retried: ${reason}]`;
    return this;
  }
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly retryAfter: number | undefined;
  readonly category: Category | undefined;
}

/** `answer.body` is what the server sent, as it is: not for logs. */
export class APIStatusError extends APIError {
  readonly status: number;
  readonly retryAfter: number | undefined;
  readonly category: Category | undefined;
  readonly #answer: Answered;

  constructor(message: string, answer: Answered, operation: string, requestId?: string) {
    super(message, operation, requestId);
    this.status = answer.status;
    this.retryAfter = answer.retryAfter;
    this.category = answer.category;
    this.#answer = answer;
  }

  get answer(): Answered {
    return this.#answer;
  }
}
export class BadRequestError extends APIStatusError {}
export class AuthenticationError extends APIStatusError {}
export class BillingError extends APIStatusError {}
export class PermissionDeniedError extends APIStatusError {}
export class NotFoundError extends APIStatusError {}
export class ConflictError extends APIStatusError {}
export class GoneError extends APIStatusError {}
export class UnprocessableEntityError extends APIStatusError {}
export class RateLimitError extends APIStatusError {}
export class InternalServerError extends APIStatusError {}

const STATUS_ERRORS: Readonly<Record<number, typeof APIStatusError>> = {
  400: BadRequestError,
  401: AuthenticationError,
  402: BillingError,
  403: PermissionDeniedError,
  404: NotFoundError,
  409: ConflictError,
  410: GoneError,
  422: UnprocessableEntityError,
  429: RateLimitError,
};

/** The class for a status. Vectors: errors.json. */
export function statusError(status: number): typeof APIStatusError {
  return STATUS_ERRORS[status] ?? (status >= 500 ? InternalServerError : APIStatusError);
}

export class APIConnectionError extends APIError {
  constructor(
    message: string,
    readonly fault: Fault,
    operation: string,
    requestId?: string,
  ) {
    super(message, operation, requestId);
  }
}
export class DeadlineExceededError extends APIConnectionError {}

/** `unreadable`: no JSON at all, which may be the doing of something in between. */
export class APIResponseValidationError extends APIError {
  constructor(
    message: string,
    operation: string,
    requestId?: string,
    readonly unreadable = false,
  ) {
    super(message, operation, requestId);
  }
}

export class RequestFailedError extends TinkerError {
  constructor(
    message: string,
    readonly operation: string,
    readonly requestId: string,
    readonly category: Category,
  ) {
    super(`${operation}: ${message} [request id ${requestId}; category ${category}]`);
  }
}

/** `where` is the path to it, such as `data[3].loss_fn_inputs.weights`. */
export class InvalidInputError extends TinkerError {
  constructor(
    message: string,
    readonly where: string,
  ) {
    super(`${where}: ${message}`);
  }
}
export class ClientClosedError extends TinkerError {}
export class SessionLostError extends TinkerError {}

/** What the retry rules have to know of an error; nothing of one that they don't judge. */
export function failureOf(error: APIError): Failure {
  if (error instanceof APIStatusError) {
    return { status: error.status, headers: error.answer.headers, category: error.category };
  }
  if (error instanceof APIConnectionError) return { fault: error.fault };
  const unreadable = error instanceof APIResponseValidationError && error.unreadable;
  return unreadable ? { fault: "protocol" } : {};
}
