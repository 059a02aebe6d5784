/** Runs the vectors whose cases are calls: requests.json and responses.json. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";

import { perform, services, type Step } from "../conformance/steps.js";
import { APIResponseValidationError } from "../src/index.js";
import { PROTOBUF } from "../src/protobuf.js";
import { scripted, VECTORS, type RecordedRequest, type Scripted } from "./support.js";

// The shape of a case depends on its file; no type describes them all.
type Case = any;

const PROTOCOLS = ["0.4.1", "0.38.0"] as const;
type Protocol = (typeof PROTOCOLS)[number];

const read = (file: string) => JSON.parse(readFileSync(new URL(file, VECTORS), "utf8"));
/** Fields whose values a client chooses or earlier responses determine. */
const FREE: string[] = read("requests.json").defaults.free;

function casesOf(file: string, wanted: Protocol): Case[] {
  const { cases } = read(file);
  return cases.filter(({ protocol }: Case) => protocol === wanted);
}

/** Operations that are not in the vectors. */
const OTHERS = new Set(["retrieve_future", "client/config"]);

/** A client of a scripted server whose ids are those of the vectors. */
function setUp(service: string, protocol: Protocol) {
  const setup = scripted({ protocol });
  setup.server.script("create_session", { body: { session_id: "session-1" } });
  services.set(service, setup.service);
  const run = (step: object) => perform({ id: 0, service, ...step } as Step);
  return { ...setup, run };
}

/** The result of a step's request, for a step that reads it. */
function resultOf(step: Case): Scripted[] {
  if (step.do === "create_training_client") return [{ body: { model_id: "session-1:train:0" } }];
  if (step.do === "sample") return [{ body: { sequences: Array(step.num_samples).fill({}) } }];
  if (step.do.startsWith("forward")) {
    return [{ body: { loss_fn_outputs: step.data.map(() => ({})), metrics: {} } }];
  }
  return step.do.endsWith("client") ? [{ body: { sampling_session_id: "unnamed" } }] : [];
}

for (const protocol of PROTOCOLS)
  test(`requests.json of ${protocol}`, (t) => requests(t, protocol));

async function requests(t: TestContext, protocol: Protocol): Promise<void> {
  const { server, run } = setUp(`requests ${protocol}`, protocol);
  const [opening, first, ...others] = casesOf("requests.json", protocol);
  const sent = async (step: Case): Promise<RecordedRequest[]> => {
    const before = server.requests.length;
    if (!step.do.startsWith("create_sampling")) server.script("retrieve_future", ...resultOf(step));
    await run(step);
    const requests = server.requests.slice(before);
    return requests.filter(({ operation }) => !OTHERS.has(operation));
  };
  // The client creates its session with the first model.
  const created = await sent(first.step);
  assert.equal(created.length, 2);
  const cases: [Case, RecordedRequest[]][] = [
    [opening, created.slice(0, 1)],
    [first, created.slice(1)],
  ];
  for (const item of others) cases.push([item, await sent(item.step)]);
  for (const [{ name, expect }, requests] of cases) {
    await t.test(`${name} ${expect.path}`, () => {
      assert.equal(requests.length, 1);
      const [{ operation, body } = { operation: "", body: {} }] = requests;
      assert.equal(`/api/v1/${operation}`, expect.path);
      if (expect.message) {
        // The order of the fields, and of the entries of maps, is the same.
        assert.equal(body.message, expect.message);
        return;
      }
      const fields = Object.entries(body).filter(([field]) => !FREE.includes(field));
      assert.deepEqual(
        differences(expect.body, Object.fromEntries(fields), "", expect.optional),
        [],
      );
    });
  }
}

/** The places where a body differs from the expected one, beside its optional fields. */
function differences(expected: Case, actual: Case, where: string, optional: Case): string[] {
  if (expected === null || typeof expected !== "object" || typeof actual !== "object") {
    return Object.is(expected, actual) ? [] : [where];
  }
  const surplus = Object.keys(actual ?? {})
    .filter((name) => !(name in expected))
    .map((name) => [`${where}${name}`, actual[name]] as const)
    .filter(([path, value]) => JSON.stringify(optional[path]) !== JSON.stringify(value))
    .map(([path]) => path);
  const inner = Object.keys(expected).flatMap((name) =>
    differences(expected[name], actual?.[name], `${where}${name}.`, optional),
  );
  return [...surplus, ...inner];
}

for (const protocol of PROTOCOLS) {
  test(`responses.json of ${protocol}`, (t) => responses(t, protocol));
}

async function responses(t: TestContext, protocol: Protocol): Promise<void> {
  const { server, run } = setUp(`responses ${protocol}`, protocol);
  server.script("retrieve_future", { body: { model_id: "model" } });
  await run({ do: "create_training_client", as: "t", base_model: "m", rank: 8 });
  await run({ do: "create_sampling_client", as: "s", base_model: "m" });
  for (const { name, call, text, message, expect } of casesOf("responses.json", protocol)) {
    await t.test(name, async () => {
      server.forget("retrieve_future");
      const headers: Record<string, string> = message ? { "content-type": PROTOBUF } : {};
      const body = message ? new Uint8Array(Buffer.from(message, "base64")) : text;
      server.script("retrieve_future", ...Array<Scripted>(8).fill({ body, headers }));
      const on = call.do === "sample" ? "s" : "t";
      if (expect === null) {
        await assert.rejects(run({ on, ...call }), APIResponseValidationError);
        return;
      }
      const result: Case = await run({ on, ...call });
      const metrics = Object.entries<Case>(expect.metrics ?? {});
      const numbers = metrics.map(([key, value]) => [key, Number(value)]);
      const expected = expect.metrics
        ? { ...expect, metrics: Object.fromEntries(numbers) }
        : { sequences: expect.sequences };
      assert.deepEqual(expect.metrics ? result : { sequences: picked(result) }, expected);
    });
  }
}

/** The sequences with the fields of the vectors. */
function picked({ sequences }: Case): Case[] {
  return sequences.map(({ tokens, logprobs, stop_reason }: Case) => {
    return { tokens, logprobs, stop_reason };
  });
}
