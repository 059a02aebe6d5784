/**
 * Reduces the metrics of several requests. Vectors: metrics.json, hashing.json.
 *
 * A key is `name:reduction`; the reduction is the text after the last colon. A part's weight is the
 * number of its outputs. A key is reduced over the parts that have it, by a weighted mean if its
 * reduction is unknown. The README of the vectors specifies the hashes.
 */

/** Metrics as received: a value that is not a number counts as missing. */
export type Part = readonly [metrics: Readonly<Record<string, unknown>>, weight: number];
/** Hashes are bigints, because they are exact. */
export type Reduced = Record<string, number | bigint>;

const REDUCERS: Readonly<Record<string, (values: number[], weights: number[]) => number | bigint>> =
  {
    mean,
    sum: (values) => sum(values),
    min: (values) => Math.min(...values),
    max: (values) => Math.max(...values),
    slack: (values, weights) => Math.max(...values) - mean(values, weights),
    hash_unordered: (values) => hashed(hashUnordered, values),
    hash2: (values) => hashed(hash2, values),
  };

export function reduceMetrics(parts: readonly Part[]): Reduced {
  const reduced = new Map<string, number | bigint>();
  const further = new Map<string, number[]>();
  for (const key of new Set(parts.flatMap(([metrics]) => Object.keys(metrics)))) {
    const matching = parts.filter(([metrics]) => typeof metrics[key] === "number");
    const values = matching.map(([metrics]) => metrics[key] as number);
    if (values.length === 0) continue;
    const reduction = key.includes(":") ? key.slice(key.lastIndexOf(":") + 1) : "";
    if (reduction === "unique") {
      further.set(key, values.splice(1));
    }
    const reduce = Object.hasOwn(REDUCERS, reduction) ? REDUCERS[reduction] : undefined;
    const weights = matching.map(([, weight]) => weight).slice(0, values.length);
    reduced.set(key, (reduce ?? mean)(values, weights));
  }
  for (const [key, values] of further) addNumbered(reduced, key, values);
  return Object.fromEntries(reduced);
}

/** Further values under the next free `key_1`, `key_2`, ... */
function addNumbered(reduced: Map<string, number | bigint>, key: string, values: number[]): void {
  let number = 0;
  for (const value of values) {
    do number += 1;
    while (reduced.has(`${key}_${number}`));
    reduced.set(`${key}_${number}`, value);
  }
}

function sum(values: number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function mean(values: number[], weights: number[]): number {
  const total = sum(weights);
  const shares = weights.map((weight) => (total ? weight / total : 1 / weights.length));
  // A part of zero weight is ignored, even if its value is NaN.
  const counted = values.filter((_, at) => shares[at] !== 0);
  const weighted = sum(values.map((value, at) => (shares[at] ? value * shares[at] : 0)));
  if (!counted.every(Number.isFinite)) return weighted;
  // Rounding could move the mean past its values.
  return Math.min(Math.max(weighted, Math.min(...counted)), Math.max(...counted));
}

function hashed(hash: (values: number[]) => bigint, values: number[]): number | bigint {
  return values.every(Number.isFinite) ? hash(values) : NaN;
}

const P1 = 11400714785074694791n;
const P2 = 14029467366897019727n;
const P5 = 2870177450012600261n;
const MODULUS = 2n ** 61n - 1n;

/** The hash of 0.4.1. Fractions are truncated. */
export function hashUnordered(values: readonly (number | bigint)[]): bigint {
  const integers = values.map(toBigInt).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  let state = P5;
  for (const integer of integers) {
    const remainder = integer % MODULUS; // has the sign of the integer
    state = word(state + word(remainder === -1n ? -2n : remainder) * P2);
    state = word((state << 31n) | (state >> 33n));
    state = word(state * P1);
  }
  state = word(state + (BigInt(integers.length) ^ P5 ^ 3527539n));
  return state === word(-1n) ? 1546275796n : BigInt.asIntN(64, state);
}

/** The hash of 0.38.0: the sum modulo 2^64. */
export function hash2(values: readonly (number | bigint)[]): bigint {
  return word(values.map(toBigInt).reduce((a, b) => a + b, 0n));
}

function word(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

function toBigInt(value: number | bigint): bigint {
  return typeof value === "bigint" ? value : BigInt(Math.trunc(value));
}
