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
    path: [
      client.deleteCheckpoint("tinker://run"),
      client.getExternalWeightsUrls(PATH),
      client.getTrainingRunOf("run"),
      client.getWeightsInfo(""),
    ],
    trainingRunId: [client.getTrainingRun(".."), client.listCheckpoints("")],
    sessionId: [client.getSession("")],
    limit: [client.listTrainingRuns({ limit: 0 })],
    offset: [client.listSessions({ offset: -1 })],
    ttlSeconds: [client.setCheckpointTtl(PATH, 0.5), client.copyWeights(PATH, { ttlSeconds: 0 })],
    samplerId: [client.getSampler(".")],
    projectId: [client.assignSessionProject("s", "")],
    start: [client.getBillingUsage(new Date(1), new Date(3600_000))],
    end: [
      client.getBillingUsage(new Date(0), new Date(0)),
      client.getBillingUsage(new Date(0), new Date(Date.UTC(1970, 0, 15, 1))),
    ],
  };
  for (const [where, rejected] of Object.entries(calls)) {
    for (const call of rejected) await assert.rejects(call, { name: "InvalidInputError", where });
  }
  assert.deepEqual(server.requests, []);
});

test("weights are described and copied by their path", async () => {
  const { server, rest: client } = rest();
  const info = { base_model: "base", is_lora: true, lora_rank: 8 };
  server.script("weights_info", { status: 503 }, { body: info });
  server.script("copy_weights", { body: { tinker_path: "tinker://copy/weights/a" } }, { body: {} });
  server.script("training_runs/run%3A0", { body: { training_run_id: "run:0" } });
  assert.deepEqual(await client.getWeightsInfo(PATH), info);
  const to = { projectId: "p", ttlSeconds: 60 };
  assert.equal(await client.copyWeights(PATH, to), "tinker://copy/weights/a");
  await assert.rejects(client.copyWeights(PATH), tinker.APIResponseValidationError);
  assert.equal((await client.getTrainingRunOf(PATH)).training_run_id, "run:0");
  assert.deepEqual(server.sent("weights_info")[1]?.body, { tinker_path: PATH });
  const bodies = server.sent("copy_weights").map(({ body }) => body);
  assert.deepEqual(bodies, [
    { source_path: PATH, destination_project_id: "p", ttl_seconds: 60 },
    { source_path: PATH },
  ]);
});

test("sessions are searched and moved, samplers are described", async () => {
  const { server, rest: client, sent } = rest();
  const page = { sessions: [], next_cursor: null };
  server.script("sessions/search", { body: page });
  server.script("sessions/s/project", { status: 204 });
  server.script("samplers/s%3Asample%3A0", { body: { sampler_id: "s", base_model: "base" } });
  const search = { owner: { type: "own" as const }, limit: 5 };
  assert.deepEqual(await client.searchSessions(search), page);
  await client.assignSessionProject("s", "p");
  assert.equal((await client.getSampler("s:sample:0")).base_model, "base");
  assert.deepEqual(sent(), [
    "POST sessions/search",
    "PUT sessions/s/project",
    "GET samplers/s%3Asample%3A0",
  ]);
  assert.deepEqual(server.sent("sessions/search")[0]?.body, search);
  assert.deepEqual(server.sent("sessions/s/project")[0]?.body, { project_id: "p" });
});

test("the export of a trace is polled until it is ready, fails, or takes too long", async () => {
  const { server, clock, service } = scripted({ deadline: 12 });
  const client = service.createRestClient();
  const [pending, url] = [{ body: { status: "pending" } }, "https://storage/trace"];
  const operation = "sessions/s/trace_export";
  server.script(operation, pending, pending, { body: { status: "ready", url } });
  assert.equal(await client.exportSessionTrace("s"), url);
  assert.deepEqual(clock.slept, [5, 5]);
  server.script(operation, { body: { status: "failed", error: "no spans" } });
  await assert.rejects(client.exportSessionTrace("s"), /get_session_trace_export: no spans/);
  server.script(operation, { body: { status: "ready" } });
  await assert.rejects(client.exportSessionTrace("s"), tinker.APIResponseValidationError);
  server.script(operation, pending, pending, pending);
  await assert.rejects(client.exportSessionTrace("s"), tinker.DeadlineExceededError);
});

test("the owner of the key is read from its token", async () => {
  const { server, rest: client } = rest();
  const tokenOf = (claims: object) =>
    ["e30", Buffer.from(JSON.stringify(claims)).toString("base64url"), "x"].join(".");
  const jwts = [tokenOf({ sub: "tml:user:1", org_id: 2, email: "" }), tokenOf({}), "no-token"];
  server.script("auth/token", ...jwts.map((jwt) => ({ body: { jwt } })));
  const owner = { userUrn: "tml:user:1", orgUrn: "tml:organization:2", email: undefined };
  assert.deepEqual(await client.whoami(), owner);
  await assert.rejects(client.whoami(), tinker.APIResponseValidationError);
  await assert.rejects(client.whoami(), tinker.APIResponseValidationError);
});

test("the key, the audit log and the usage are requested", async () => {
  const { server, rest: client, sent } = rest();
  server.script("auth/apikey/me", { body: { name: "mine" } }, { status: 204 });
  server.script("audit", { body: { entries: [] } }, { body: { entries: [] } });
  server.script("billing/usage/events", { body: { entries: [] } });
  server.script("billing/usage/checkpoints/current", { body: {} }, { body: {} });
  assert.equal((await client.getOwnApiKey()).name, "mine");
  await client.deleteOwnApiKey();
  await client.getAuditLog();
  await client.getAuditLog({ eventType: "all", day: "2026-01-31" });
  await client.getBillingUsage(new Date(0), new Date(Date.UTC(1970, 0, 15)));
  await client.getCheckpointStorageUsage();
  await client.getCheckpointStorageUsage("p");
  assert.deepEqual(sent(), [
    "GET auth/apikey/me",
    "DELETE auth/apikey/me",
    "GET audit?event_type=all",
    "GET audit?event_type=all&day=2026-01-31",
    "GET billing/usage/events?starting_on=1970-01-01T00%3A00%3A00.000Z" +
      "&ending_before=1970-01-15T00%3A00%3A00.000Z",
    "GET billing/usage/checkpoints/current",
    "GET billing/usage/checkpoints/current?project_id=p",
  ]);
});
