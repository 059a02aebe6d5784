/** Training runs, checkpoints and sessions. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as tinker from "../src/index.js";
import { scripted } from "./support.js";

const PATH = "tinker://run:0/weights/a b";
const URL_OF = "training_runs/run%3A0/checkpoints/weights/a%20b";

function rest() {
  const setup = scripted();
  const sent = () =>
    setup.server.requests.map(({ method, operation, query }) => `${method} ${operation}${query}`);
  return { ...setup, rest: setup.service.createRestClient(), sent };
}

test("pages of runs, checkpoints and sessions are listed without a session", async () => {
  const { server, rest: client, sent } = rest();
  const runs = { training_runs: [], cursor: { limit: 5, offset: 10, total_count: 0 } };
  server.script("training_runs", { body: runs });
  server.script("checkpoints", { body: { checkpoints: [{ checkpoint_id: "weights/a" }] } });
  server.script("training_runs/run/checkpoints", { body: { checkpoints: null } });
  server.script("sessions", { body: { sessions: ["s"] } });
  assert.deepEqual(await client.listTrainingRuns({ limit: 5, offset: 10 }), runs);
  const { checkpoints } = await client.listUserCheckpoints();
  assert.equal(checkpoints?.[0]?.checkpoint_id, "weights/a");
  assert.deepEqual(await client.listCheckpoints("run"), []);
  assert.deepEqual(await client.listSessions({ limit: 1 }), ["s"]);
  assert.deepEqual(sent(), [
    "GET training_runs?limit=5&offset=10",
    "GET checkpoints?limit=100&offset=0",
    "GET training_runs/run/checkpoints",
    "GET sessions?limit=1&offset=0",
  ]);
});

test("a run and a session are addressed by their ids", async () => {
  const { server, rest: client, sent } = rest();
  server.script("training_runs/a%2Fb", { body: { training_run_id: "a/b" } });
  server.script("sessions/s", { body: { training_run_ids: ["a/b"], sampler_ids: [] } });
  assert.equal((await client.getTrainingRun("a/b")).training_run_id, "a/b");
  assert.deepEqual((await client.getSession("s")).training_run_ids, ["a/b"]);
  assert.deepEqual(sent(), ["GET training_runs/a%2Fb", "GET sessions/s"]);
});

test("changes of a checkpoint are sent with its path and accept an empty response", async () => {
  const { server, rest: client, sent } = rest();
  server.script(URL_OF, { status: 503 }, { status: 204 });
  server.script(`${URL_OF}/publish`, { status: 204 }, { body: null });
  server.script(`${URL_OF}/ttl`, {}, {});
  await client.deleteCheckpoint(PATH);
  await client.publishCheckpoint(PATH);
  await client.unpublishCheckpoint(PATH);
  await client.setCheckpointTtl(PATH, 60);
  await client.setCheckpointTtl(PATH, null);
  assert.deepEqual(sent(), [
    `DELETE ${URL_OF}`,
    `DELETE ${URL_OF}`,
    `POST ${URL_OF}/publish`,
    `DELETE ${URL_OF}/publish`,
    `PUT ${URL_OF}/ttl`,
    `PUT ${URL_OF}/ttl`,
  ]);
  const bodies = server.sent(`${URL_OF}/ttl`).map(({ body }) => body);
  assert.deepEqual(bodies, [{ ttl_seconds: 60 }, { ttl_seconds: null }]);
  const [first, second] = server.sent(URL_OF).map(({ headers }) => headers);
  assert.ok(first?.get("x-idempotency-key"));
  assert.equal(first?.get("x-idempotency-key"), second?.get("x-idempotency-key"));
});

test("a checkpoint without a kind has one segment", async () => {
  const { server, rest: client, sent } = rest();
  server.script("training_runs/run/checkpoints/first", {});
  await client.deleteCheckpoint("tinker://run/first");
  assert.deepEqual(sent(), ["DELETE training_runs/run/checkpoints/first"]);
});

test("the URL of an archive is that of the redirect, or of the body", async () => {
  const { server, rest: client } = rest();
  const expires = "Thu, 01 Jan 2026 00:00:00 GMT";
  const url = "https://storage/x?signature=1";
  server.script(`${URL_OF}/archive`, { status: 302, headers: { location: url, expires } });
  server.script(`${URL_OF}/archive`, { body: { url, expires: "2026-01-01T00:00:00Z" } });
  server.script(`${URL_OF}/archive`, { status: 302 });
  const expected = { url, expires: new Date(Date.UTC(2026, 0, 1)) };
  assert.deepEqual(await client.getCheckpointArchiveUrl(PATH), expected);
  assert.deepEqual(await client.getCheckpointArchiveUrl(PATH), expected);
  const call = client.getCheckpointArchiveUrl(PATH);
  await assert.rejects(call, tinker.APIResponseValidationError);
});

test("external weights have a URL for each file", async () => {
  const { server, rest: client } = rest();
  const body = { urls: { "a.safetensors": "https://storage/a" }, expires: "2026-01-01T00:00:00Z" };
  server.script("training_runs/run/checkpoints/external_weights/x/external_weights_urls", { body });
  assert.deepEqual(await client.getExternalWeightsUrls("tinker://run/external_weights/x"), body);
});

test("invalid arguments are rejected before a request", async () => {
  const { server, rest: client } = rest();
  const calls = {
    path: [client.deleteCheckpoint("tinker://run"), client.getExternalWeightsUrls(PATH)],
    trainingRunId: [client.getTrainingRun(".."), client.listCheckpoints("")],
    sessionId: [client.getSession("")],
    limit: [client.listTrainingRuns({ limit: 0 })],
    offset: [client.listSessions({ offset: -1 })],
    ttlSeconds: [client.setCheckpointTtl(PATH, 0.5)],
  };
  for (const [where, rejected] of Object.entries(calls)) {
    for (const call of rejected) await assert.rejects(call, { name: "InvalidInputError", where });
  }
  assert.deepEqual(server.requests, []);
});
