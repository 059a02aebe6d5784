/**
 * The errors of this client:
 *
 *     TinkerError
 *     ├── APIError                        a request failed
 *     │   ├── APIStatusError              an error status code; STATUS_ERRORS lists subclasses
 *     │   ├── APIConnectionError          no response, or an incomplete one
 *     │   │   └── DeadlineExceededError   no result before the deadline
 *     │   └── APIResponseValidationError  a malformed response
 *     ├── RequestFailedError              the server reports that the operation failed
 *     ├── InvalidInputError               an invalid argument or setting; nothing was sent
 *     ├── ClientClosedError               the client was used after close()
 *     └── SessionLostError                the session has ended
 */

import type { Category, Failure, Fault } from "./rules/retry.js";
import { redact } from "./rules/redaction.js";

export class TinkerError extends Error {
  constructor(message: string) {
    super(redact(message));
    this.name = new.target.name;
  }
}

export class APIError extends TinkerError {
  /** The number of requests sent, and why there was no retry; set by the retry engine. */
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

export interface ErrorResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly retryAfter: number | undefined;
  readonly category: Category | undefined;
}

/** `response.body` is the unredacted body of the response and must not be logged. */
export class APIStatusError extends APIError {
  readonly status: number;
  readonly retryAfter: number | undefined;
  readonly category: Category | undefined;
  readonly #response: ErrorResponse;

  constructor(message: string, response: ErrorResponse, operation: string, requestId?: string) {
    super(message, operation, requestId);
    this.status = response.status;
    this.retryAfter = response.retryAfter;
    this.category = response.category;
    this.#response = response;
  }

  get response(): ErrorResponse {
    return this.#response;
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

/** The error class of a status code. Vectors: errors.json. */
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

/** `unreadable` is true if the body is not JSON, which a proxy may have caused. */
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

/** `where` is the path of the argument, such as `data[3].loss_fn_inputs.weights`. */
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

/** The properties of an error that the retry rules need; empty if it is never retried. */
export function failureOf(error: APIError): Failure {
  if (error instanceof APIStatusError) {
    return { status: error.status, headers: error.response.headers, category: error.category };
  }
  if (error instanceof APIConnectionError) return { fault: error.fault };
  const unreadable = error instanceof APIResponseValidationError && error.unreadable;
  return unreadable ? { fault: "protocol" } : {};
}
