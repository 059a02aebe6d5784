/**
 * Whether a failed request is sent again, and when. Vectors: retry.json, retry_after.json.
 *
 * The policy comes first, then `x-should-retry`, the category of the body, the status, the fault of
 * the transport. The wait is the server's where it fits into the window, else exponential backoff
 * with full jitter. Time is in seconds throughout.
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

/** One failed attempt: an answer (status, headers, category of its body) or a fault. */
export interface Failure {
  readonly status?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly fault?: Fault | undefined;
  readonly category?: Category | undefined;
}

export interface RetryPolicy {
  readonly maxElapsed: number;
  readonly maxAttempts: number;
  readonly backoffBase: number;
  readonly backoffCap: number;
  readonly repeatable: boolean;
  readonly billingPause: number;
  readonly billingMaxElapsed: number;
}

export const POLICY: RetryPolicy = {
  maxElapsed: 300,
  maxAttempts: Infinity,
  backoffBase: 0.5,
  backoffCap: 10,
  repeatable: true,
  billingPause: 5,
  billingMaxElapsed: 3600,
};

export interface Decision {
  readonly retry: boolean;
  /** Before the next attempt; of a stop what the server asked for. */
  readonly delay: number;
  readonly reason: string;
  readonly serverDelay: boolean;
  readonly shared: boolean;
}

export interface Moment {
  readonly attempt: number;
  /** Without the seconds in which the process was suspended. */
  readonly elapsed: number;
  readonly now: number;
  readonly jitter: number;
  /** The process was suspended after the failed attempt began. */
  readonly resumed: boolean;
}

const RETRIED = new Set([408, 409, 429]);
const LASTING = new Set([501, 505, 511]);
const LONGEST_VALUE = 64;

/** For how long attempts that fail like this may go on. */
export function windowOf(policy: RetryPolicy, status: number | undefined): number {
  if (status !== 402) return policy.maxElapsed;
  return Math.max(policy.maxElapsed, policy.billingMaxElapsed);
}

export function decide(failure: Failure, policy: RetryPolicy, moment: Moment): Decision {
  const { status, headers = {} } = failure;
  const asked = retryAfterSeconds(headers, moment.now) ?? 0;
  const left = windowOf(policy, status) - moment.elapsed;
  const lastChance = moment.resumed && left <= 0;
  let [retry, reason] = worthRepeating(failure, policy);
  if (retry && moment.attempt >= policy.maxAttempts) {
    [retry, reason] = [false, `${reason}, ${policy.maxAttempts} attempts are used up`];
  } else if (retry && left <= 0 && !lastChance) {
    [retry, reason] = [false, `${reason}, the time for attempts is used up`];
  } else if (retry && asked > Math.max(left, 0)) {
    [retry, reason] = [false, `${reason}, a wait of ${asked} s does not fit in ${left} s`];
  }
  const shared = status === 402 || status === 429;
  if (!retry || asked > 0) {
    return { retry, delay: asked, reason, serverDelay: asked > 0, shared };
  }
  const delay =
    status === 402
      ? policy.billingPause
      : backoff(moment.attempt, moment.jitter, policy.backoffBase, policy.backoffCap);
  if (lastChance) return { retry, delay, reason, serverDelay: false, shared };
  return { retry, delay: Math.min(delay, left), reason, serverDelay: false, shared };
}

function worthRepeating(failure: Failure, policy: RetryPolicy): [boolean, string] {
  if (!policy.repeatable) return [false, "the operation is never repeated"];
  const wish = header(failure.headers ?? {}, "x-should-retry");
  if (wish === "true" || wish === "false") return [wish === "true", `x-should-retry: ${wish}`];
  if (failure.category === "user") return [false, "the server calls it the user's error"];
  const { status } = failure;
  if (status !== undefined && status >= 400) {
    const again = status === 402 || RETRIED.has(status) || (status >= 500 && !LASTING.has(status));
    return [again, `status ${status}`];
  }
  if (failure.fault !== undefined) {
    const lasting = failure.fault === "tls" || failure.fault === "proxy";
    return [!lasting, `${failure.fault} fault`];
  }
  return [false, "nothing says that another attempt would help"];
}

/** Full jitter below a doubling, capped bound; `attempt` counts those made, from 1. */
export function backoff(
  attempt: number,
  jitter: number,
  base = POLICY.backoffBase,
  cap = POLICY.backoffCap,
): number {
  return jitter * Math.min(cap, base * 2 ** Math.min(attempt - 1, 62));
}

/** Seconds that the server asks to wait; 0 for a date gone by; undefined where it names none. */
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
  if (value === undefined || value.length > LONGEST_VALUE) return undefined;
  return /^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*$/.test(value) ? Number(value) : undefined;
}

const DATE = /^\s*[A-Za-z]{3,9},?\s.*\b(\d\d:\d\d:\d\d)\b/;
const ZONED = /(GMT|UTC|[+-]\d{4})\s*$/;

function until(value: string | undefined, now: number): number | undefined {
  // `Date.parse` alone takes almost anything for a date, and one without a zone for local time.
  if (value === undefined || value.length > LONGEST_VALUE || !DATE.test(value)) return undefined;
  const date = new Date(ZONED.test(value) ? value : `${value} GMT`);
  const wrong = Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9999;
  return wrong ? undefined : Math.max(0, date.getTime() / 1000 - now);
}

function header(headers: Readonly<Record<string, string>>, name: string): string | undefined {
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name);
  return found?.[1];
}
