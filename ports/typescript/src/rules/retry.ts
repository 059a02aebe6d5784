/**
 * Whether and when to retry a failed request. Vectors: retry.json, retry_after.json.
 *
 * Criteria, strongest first: the policy, `x-should-retry`, the category of the body, the status
 * code, the transport fault. The delay is the server's, or exponential backoff with full jitter.
 * All times are in seconds.
 */

export type Fault =
  | "connect"
  | "read"
  | "write"
  | "timeout"
  | "protocol"
  | "pool"
  | "tls"
  | "proxy";
export type Category = "unknown" | "server" | "user";

/** A failed attempt: a response (status, headers, category of its body) or a transport fault. */
export interface Failure {
  readonly status?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly fault?: Fault | undefined;
  readonly category?: Category | undefined;
  /** Attempts in a row, with this one, with the same status and body within `IMMEDIATE` seconds. */
  readonly identical?: number | undefined;
}

export interface RetryPolicy {
  readonly maxElapsed: number;
  readonly maxAttempts: number;
  readonly backoffBase: number;
  readonly backoffCap: number;
  readonly repeatable: boolean;
  /** The operation only reads, so that its failure loses nothing. */
  readonly reads: boolean;
  /** After so many attempts a 500 may mean that the server does not accept the request's form. */
  readonly serverErrorAttempts: number;
  readonly billingPause: number;
  readonly billingMaxElapsed: number;
}

export const POLICY: RetryPolicy = {
  maxElapsed: 300,
  maxAttempts: Infinity,
  backoffBase: 0.5,
  backoffCap: 10,
  repeatable: true,
  reads: false,
  serverErrorAttempts: Infinity,
  billingPause: 5,
  billingMaxElapsed: 3600,
};

export interface Decision {
  readonly retry: boolean;
  /** Before the next attempt; if there is none, the server's delay. */
  readonly delay: number;
  readonly reason: string;
  readonly serverDelay: boolean;
  readonly shared: boolean;
  /** Whether retrying stops after identical immediate 500s. */
  readonly sameResponses: boolean;
}

export interface Moment {
  readonly attempt: number;
  /** Excludes time during which the process was suspended. */
  readonly elapsed: number;
  readonly now: number;
  readonly jitter: number;
  /** Whether the process was suspended since the failed attempt began. */
  readonly resumed: boolean;
}

const RETRIED = new Set([408, 409, 429]);
const PERMANENT_5XX = new Set([501, 505, 511]);
const MAX_VALUE_LENGTH = 64;
/** Seconds within which a response is immediate, and identical immediate 500s that end a read. */
export const IMMEDIATE = 1;
const MAX_IDENTICAL = 10;

/** Seconds for all attempts that fail with this status. */
export function windowOf(policy: RetryPolicy, status: number | undefined): number {
  if (status !== 402) return policy.maxElapsed;
  return Math.max(policy.maxElapsed, policy.billingMaxElapsed);
}

export function decide(failure: Failure, policy: RetryPolicy, moment: Moment): Decision {
  const { status, headers = {} } = failure;
  const serverDelay = retryAfterSeconds(headers, moment.now) ?? 0;
  const left = windowOf(policy, status) - moment.elapsed;
  const lastChance = moment.resumed && left <= 0;
  let [retry, reason] = isRetryable(failure, policy);
  let sameResponses = false;
  if (retry && moment.attempt >= policy.maxAttempts) {
    [retry, reason] = [false, `${reason}, ${policy.maxAttempts} attempts are used up`];
  } else if (retry && status === 500 && moment.attempt >= policy.serverErrorAttempts) {
    [retry, reason] = [false, `${reason}, the server may not accept the form of the request`];
  } else if (retry && policy.reads && isLasting(failure, MAX_IDENTICAL)) {
    [retry, reason] = [false, `${reason}, ${failure.identical} identical responses in a row`];
    sameResponses = true;
  } else if (retry && left <= 0 && !lastChance) {
    [retry, reason] = [false, `${reason}, the window is used up`];
    sameResponses = moment.attempt > 1 && isLasting(failure, moment.attempt);
    if (sameResponses) reason = `${reason}, all responses were the same`;
  } else if (retry && serverDelay > Math.max(left, 0)) {
    [retry, reason] = [false, `${reason}, a wait of ${serverDelay} s does not fit in ${left} s`];
  }
  const shared = status === 402 || status === 429;
  if (!retry || serverDelay > 0) {
    const byServer = serverDelay > 0;
    return { retry, delay: serverDelay, reason, serverDelay: byServer, shared, sameResponses };
  }
  const delay =
    status === 402
      ? policy.billingPause
      : backoff(moment.attempt, moment.jitter, policy.backoffBase, policy.backoffCap);
  const limited = lastChance ? delay : Math.min(delay, left);
  return { retry, delay: limited, reason, serverDelay: false, shared, sameResponses };
}

function isLasting({ status, headers = {}, identical = 0 }: Failure, attempts: number): boolean {
  const isRequested = header(headers, "x-should-retry") === "true";
  return status === 500 && identical >= attempts && !isRequested;
}

function isRetryable(failure: Failure, policy: RetryPolicy): [boolean, string] {
  if (!policy.repeatable) return [false, "the operation is never repeated"];
  const shouldRetry = header(failure.headers ?? {}, "x-should-retry");
  if (shouldRetry === "true" || shouldRetry === "false") {
    return [shouldRetry === "true", `x-should-retry: ${shouldRetry}`];
  }
  if (failure.category === "user") return [false, "the server reports a user error"];
  const { status } = failure;
  if (status !== undefined && status >= 400) {
    const serverError = status >= 500 && !PERMANENT_5XX.has(status);
    return [status === 402 || RETRIED.has(status) || serverError, `status ${status}`];
  }
  if (failure.fault !== undefined) {
    const permanent = failure.fault === "tls" || failure.fault === "proxy";
    return [!permanent, `${failure.fault} fault`];
  }
  return [false, "nothing indicates that a retry would help"];
}

/** Exponential backoff with full jitter; `attempt` is the number of attempts so far, from 1. */
export function backoff(
  attempt: number,
  jitter: number,
  base = POLICY.backoffBase,
  cap = POLICY.backoffCap,
): number {
  return jitter * Math.min(cap, base * 2 ** Math.min(attempt - 1, 62));
}

/** The server's delay in seconds; undefined if absent or invalid, 0 for a past date. */
export function retryAfterSeconds(
  headers: Readonly<Record<string, string>>,
  now: number,
): number | undefined {
  const milliseconds = decimal(header(headers, "retry-after-ms"));
  if (milliseconds !== undefined) return milliseconds / 1000;
  const value = header(headers, "retry-after");
  return decimal(value) ?? until(value, now);
}

function decimal(value: string | undefined): number | undefined {
  if (value === undefined || value.length > MAX_VALUE_LENGTH) return undefined;
  return /^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*$/.test(value) ? Number(value) : undefined;
}

const DATE = /^\s*[A-Za-z]{3,9},?\s.*\b(\d\d:\d\d:\d\d)\b/;
const ZONED = /(GMT|UTC|[+-]\d{4})\s*$/;

function until(value: string | undefined, now: number): number | undefined {
  // `Date.parse` accepts almost any text, and assumes local time for a date without a zone.
  if (value === undefined || value.length > MAX_VALUE_LENGTH || !DATE.test(value)) return undefined;
  const date = new Date(ZONED.test(value) ? value : `${value} GMT`);
  const invalid = Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9999;
  return invalid ? undefined : Math.max(0, date.getTime() / 1000 - now);
}

function header(headers: Readonly<Record<string, string>>, name: string): string | undefined {
  const entry = Object.entries(headers).find(([key]) => key.toLowerCase() === name);
  return entry?.[1];
}
