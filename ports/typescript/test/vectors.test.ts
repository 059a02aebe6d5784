/** Runs ports/conformance/vectors against the rules. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { InvalidInputError, statusError } from "../src/errors.js";
import { checkData } from "../src/inputs.js";
import { isReusable } from "../src/ordered.js";
import { combineOutputs, sizeOf, split } from "../src/rules/batches.js";
import {
  admit,
  promptBytes,
  restartBackoff,
  restartBurst,
  restartDelay,
  restartFailures,
} from "../src/rules/limits.js";
import { hash2, hashUnordered, reduceMetrics } from "../src/rules/metrics.js";
import { parsePath } from "../src/rules/paths.js";
import { classify, parseCategory, pollDelay, shouldPollAgain } from "../src/rules/polling.js";
import { decide, POLICY, retryAfterSeconds } from "../src/rules/retry.js";
import { serverWords } from "../src/rules/redaction.js";
import { VECTORS } from "./support.js";

// Local time then differs from GMT, in which a date without a zone is meant.
process.env["TZ"] = "Asia/Kathmandu";

// The shape of a case depends on its file; no type describes them all.
type Case = any;
type Run = (testCase: Case) => unknown;

/** Files, or lists of a file, that this client has no rule for, with the reason. */
const LEFT_OUT: Record<string, string> = {
  "adaptation.json": "the protocol is a setting: it is not learned from errors",
  "completions.json": "any error of retrieve_futures ends batched polling",
  "datum_index.json": "errors name a datum by its index in its request",
  "hints.json": "errors quote the server's message and add no advice",
  "circuit.json": "there is no circuit breaker; every call is retried in its window",
  "tokenizers.json": "the client handles token ids only",
  "retry.json within": "every call has the same window",
  "seq_ids.json expected_seq_id":
    "servers of release 0.25 report it; those of 0.4.1 and 0.38 do not",
  "server_protocol.json": "the protocol is a setting: it is not negotiated",
  "token_validity.json": "a token is used until the server rejects it",
};

/** Files that steps.test.ts runs, because their cases are calls. */
const CALLS = ["requests.json", "responses.json"];

const RULES: Record<string, Record<string, Run>> = {
  "input.json": {
    cases: ({ data, loss_fn }) => {
      for (const { loss_fn_inputs } of data) {
        for (const tensor of Object.values<Case>(loss_fn_inputs)) {
          tensor.data = tensor.data.map(valueOf);
        }
      }
      try {
        checkData(data, loss_fn);
        return null;
      } catch (error) {
        assert.ok(error instanceof InvalidInputError);
        return error.where;
      }
    },
  },
  "retry.json": {
    cases: ({ failure, policy, attempt, elapsed, now, jitter, resumed }) => {
      const moment = { attempt, elapsed, now, jitter, resumed };
      const decision = decide(failure, policyOf(policy), moment);
      assert.ok(decision.reason);
      const { retry, delay, serverDelay: server_delay, shared } = decision;
      return { retry, delay, server_delay, shared, same_responses: decision.sameResponses };
    },
  },
  "retry_after.json": { cases: ({ headers, now }) => retryAfterSeconds(headers, now) ?? null },
  "polling.json": {
    classify: ({ status, body, expect }) => {
      const outcome = classify(status, body) as Case;
      if (outcome.kind === "ready") assert.deepEqual(outcome.body, body);
      const { queueState: queue_state, queueStateReason: queue_state_reason } = outcome;
      const fields = { ...outcome, outcome: outcome.kind, queue_state, queue_state_reason };
      return Object.fromEntries(Object.keys(expect).map((name) => [name, fields[name]]));
    },
    poll_delay: ({ response, consecutive, jitter, held, server_delay }) =>
      pollDelay(outcomeOf(response), consecutive, jitter, { held, serverDelay: server_delay }),
    should_poll_again: ({ response, consecutive, streak, window }) =>
      shouldPollAgain(outcomeOf(response), consecutive, { streak, window }),
  },
  "chunking.json": {
    cases: ({ sizes, max_items, max_size }) => split(sizes, max_items, max_size),
    size: ({ datum }) => sizeOf(datum),
  },
  "limits.json": {
    admit: ({ limit, held, waiting }) => {
      const used = held.reduce((a: number, b: number) => a + b, 0);
      return admit({ limit, used, holders: held.length }, waiting);
    },
    restart_backoff: ({ failures, paused, jitter }) => restartBackoff(failures, paused, jitter),
    restart_burst: ({ started, rejected }) => restartBurst(started, rejected),
    restart_failures: ({ failures, started, rejected, paused }) =>
      restartFailures(failures, started, rejected, paused),
    restart_delay: ({ position, paused, burst }) => restartDelay(position, paused, burst),
    prompt_bytes: ({ prompt }) => promptBytes(prompt),
  },
  "paths.json": {
    cases: ({ path }) => {
      const parsed = parsePath(path);
      if (!parsed) return null;
      const { trainingRunId: training_run_id, kind, name, type: checkpoint_type = null } = parsed;
      return { training_run_id, checkpoint_type, checkpoint_id: kind ? `${kind}/${name}` : name };
    },
  },
  "seq_ids.json": { is_reusable: ({ status }) => isReusable(status) },
  "metrics.json": {
    cases: ({ parts }) =>
      reduceMetrics(parts.map(([metrics, weight]: Case) => [numbersOf(metrics), weight])),
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

/** Completes the expectations of a file, or parses numbers that it writes as text. */
const READ_EXPECTED: Record<string, Run> = {
  "retry.json": (expected) => ({
    server_delay: false,
    shared: false,
    same_responses: false,
    ...expected,
  }),
  "metrics.json": valuesOf,
  "hashing.json": valuesOf,
};

test("every file is run, or left out with a reason", () => {
  const files = readdirSync(VECTORS).filter((name) => name.endsWith(".json"));
  const leftOut = Object.keys(LEFT_OUT).filter((name) => !name.includes(" "));
  assert.deepEqual(files.sort(), [...Object.keys(RULES), ...CALLS, ...leftOut].sort());
});

for (const [file, rules] of Object.entries(RULES)) {
  const content = JSON.parse(readFileSync(new URL(file, VECTORS), "utf8"));
  describe(file, () => {
    test("every list of the file is run, or left out with a reason", () => {
      const lists = Object.keys(content).filter((name) => Array.isArray(content[name]));
      const expected = lists.filter((name) => name !== "rules" && !LEFT_OUT[`${file} ${name}`]);
      assert.deepEqual(expected.sort(), Object.keys(rules).sort());
    });
    for (const [rule, run] of Object.entries(rules)) {
      for (const testCase of content[rule]) {
        test(`${rule}: ${testCase.name ?? JSON.stringify(testCase)}`, () => {
          const actual = run({ ...content.defaults, ...testCase });
          const expected = READ_EXPECTED[file]?.(testCase.expect) ?? testCase.expect;
          assertSame(actual, expected, testCase.name);
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

function outcomeOf(response: Case): ReturnType<typeof classify> {
  if (response === null) return { kind: "retry", tolerated: null };
  return classify(response.status, response.body);
}

/** Parses a number of the vectors, which write NaN, infinities and large integers as text. */
function valueOf(value: Case): Case {
  if (typeof value === "string" && /^-?\d+$/.test(value)) return BigInt(value);
  return ["NaN", "Infinity", "-Infinity"].includes(value) ? Number(value) : value;
}

function valuesOf(values: Record<string, Case>): Record<string, Case> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, valueOf(value)]));
}

/** The values as JSON.parse returns numbers: an integer out of range is an infinity. */
function numbersOf(values: Record<string, Case>): Record<string, Case> {
  const entries = Object.entries(valuesOf(values));
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === "bigint" ? Number(value) : value]),
  );
}

/** Asserts equality; floats may differ by one part in 10^12. */
function assertSame(actual: Case, expected: Case, where: string): void {
  if (typeof expected === "number" && Number.isFinite(expected) && !Number.isInteger(expected)) {
    assert.ok(Math.abs(actual - expected) <= 1e-12 * Math.abs(expected), `${where}: ${actual}`);
  } else if (expected !== null && typeof expected === "object") {
    assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort(), where);
    for (const name of Object.keys(expected)) {
      assertSame(actual[name], expected[name], `${where}: ${name}`);
    }
  } else {
    assert.deepEqual(actual, expected, where);
  }
}
