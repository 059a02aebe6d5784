/** The rules give the answers of ports/conformance/vectors. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { statusError } from "../src/errors.js";
import { isFree } from "../src/ordered.js";
import { combineOutputs, sizeOf, split } from "../src/rules/batches.js";
import { hash2, hashUnordered, reduceMetrics } from "../src/rules/metrics.js";
import { classify, parseCategory, pollDelay, worthPolling } from "../src/rules/polling.js";
import { decide, POLICY, retryAfterSeconds } from "../src/rules/retry.js";
import { serverWords } from "../src/rules/words.js";
import { VECTORS } from "./support.js";

// Local time is then not GMT, which a date without a zone is in.
process.env["TZ"] = "Asia/Kathmandu";

// A case is whatever its file says: the vectors are the contract, not a type of ours.
type Case = any;
type Run = (given: Case) => unknown;

/** What this client has no rule for, and why. */
const LEFT_OUT: Record<string, string> = {
  "completions.json": "retrieve_futures: releases after 0.4.1",
  "conflicts.json": "servers of release 0.25 say so; those of 0.4.1 do not",
  "datum_index.json": "errors name a datum by its place in its request",
  "dialect.json": "one dialect is spoken, that of 0.4.1",
  "limits.json": "nothing bounds what is in flight, and a shared pause ends for all at once",
  "tokens.json": "keys are exchanged for tokens in releases after 0.4.1 only",
  "unsupported.json": "errors carry the server's words; advice is left to the reader",
};

const RULES: Record<string, Record<string, Run>> = {
  "retry.json": {
    cases: ({ failure, policy, attempt, elapsed, now, jitter, resumed }) => {
      const moment = { attempt, elapsed, now, jitter, resumed };
      const found = decide(failure, policyOf(policy), moment);
      assert.ok(found.reason);
      const { retry, delay, serverDelay: server_delay, shared } = found;
      return { retry, delay, server_delay, shared };
    },
  },
  "retry_after.json": { cases: ({ headers, now }) => retryAfterSeconds(headers, now) ?? null },
  "polling.json": {
    classify: ({ status, body, expect }) => {
      const found = classify(status, body) as Case;
      if (found.kind === "ready") assert.deepEqual(found.body, body);
      const { queueState: queue_state, queueStateReason: queue_state_reason } = found;
      const all = { ...found, outcome: found.kind, queue_state, queue_state_reason };
      return Object.fromEntries(Object.keys(expect).map((name) => [name, all[name]]));
    },
    poll_delay: ({ answer, consecutive, jitter, held, server_delay }) =>
      pollDelay(outcomeOf(answer), consecutive, jitter, { held, serverDelay: server_delay }),
    worth_polling: ({ answer, consecutive, streak, window }) =>
      worthPolling(outcomeOf(answer), consecutive, { streak, window }),
  },
  "chunking.json": {
    cases: ({ sizes, max_items, max_size }) => split(sizes, max_items, max_size),
    size: ({ datum }) => sizeOf(datum),
  },
  "numbers.json": { cases: ({ status }) => isFree(status) },
  "metrics.json": {
    cases: ({ parts }) =>
      reduceMetrics(parts.map(([metrics, weight]: Case) => [valuesOf(metrics), weight])),
  },
  "hashing.json": {
    cases: ({ values }) => {
      const numbers = values.map(valueOf);
      return { hash_unordered: hashUnordered(numbers), hash2: hash2(numbers) };
    },
  },
  "outputs.json": { cases: ({ parts, datum_counts }) => combineOutputs(parts, datum_counts) },
  "errors.json": {
    status_error: ({ status }) => statusError(status).name,
    category: ({ value }) => parseCategory(value),
    server_words: ({ body }) => serverWords(body),
  },
};

/** What a file leaves out of an expectation, or writes as text. */
const READ_EXPECTED: Record<string, Run> = {
  "retry.json": (expected) => ({ server_delay: false, shared: false, ...expected }),
  "metrics.json": valuesOf,
  "hashing.json": valuesOf,
};

test("every file is run, or left out for a reason", () => {
  const files = readdirSync(VECTORS).filter((name) => name.endsWith(".json"));
  assert.deepEqual(files.sort(), [...Object.keys(RULES), ...Object.keys(LEFT_OUT)].sort());
});

for (const [file, rules] of Object.entries(RULES)) {
  const content = JSON.parse(readFileSync(new URL(file, VECTORS), "utf8"));
  describe(file, () => {
    test("every rule of the file is run", () => {
      const lists = Object.keys(content).filter((name) => Array.isArray(content[name]));
      assert.deepEqual(lists.filter((name) => name !== "rules").sort(), Object.keys(rules).sort());
    });
    for (const [rule, run] of Object.entries(rules)) {
      for (const given of content[rule]) {
        test(`${rule}: ${given.name ?? JSON.stringify(given)}`, () => {
          const found = run({ ...content.defaults, ...given });
          assertSame(found, READ_EXPECTED[file]?.(given.expect) ?? given.expect, given.name);
        });
      }
    }
  });
}

function policyOf(changed: Record<string, never> = {}): typeof POLICY {
  const camel = (name: string) =>
    name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  const named = Object.entries(changed).map(([name, value]) => [camel(name), value]);
  return { ...POLICY, ...Object.fromEntries(named) };
}

function outcomeOf(answer: Case): ReturnType<typeof classify> {
  return answer === null ? { kind: "retry", spare: null } : classify(answer.status, answer.body);
}

/** A number as the vectors write it: texts stand for NaN, infinities and large integers. */
function valueOf(value: Case): Case {
  if (typeof value === "string" && /^-?\d+$/.test(value)) return BigInt(value);
  return ["NaN", "Infinity", "-Infinity"].includes(value) ? Number(value) : value;
}

function valuesOf(values: Record<string, Case>): Record<string, Case> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, valueOf(value)]));
}

/** Equal; floats up to one part in 10^12. */
function assertSame(found: Case, expected: Case, where: string): void {
  if (typeof expected === "number" && Number.isFinite(expected) && !Number.isInteger(expected)) {
    assert.ok(Math.abs(found - expected) <= 1e-12 * Math.abs(expected), `${where}: ${found}`);
  } else if (expected !== null && typeof expected === "object") {
    assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort(), where);
    for (const name of Object.keys(expected)) {
      assertSame(found[name], expected[name], `${where}: ${name}`);
    }
  } else {
    assert.deepEqual(found, expected, where);
  }
}
