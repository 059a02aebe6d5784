/** The session: created once, kept alive, lost. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as tinker from "../src/index.js";
import { scripted, settled, SPECIFICATION, SteppedClock } from "./support.js";

const CHECKPOINT =
  "training_runs/{training_run_id}/checkpoints/{checkpoint_kind}/{checkpoint_name}";

async function setUp() {
  const heart = new SteppedClock();
  const setup = scripted({ heart });
  const training = await setup.service.createLoraTrainingClient("base");
  return { ...setup, heart, training };
}

test("one session is created on first use; models and samplers are numbered from 0", async () => {
  const { server, service } = scripted();
  assert.equal(server.requests.length, 0);
  await Promise.all([service.createLoraTrainingClient("a"), service.createLoraTrainingClient("b")]);
  const training = await service.createLoraTrainingClient("c");
  await training.saveWeightsAndGetSamplingClient();
  await service.createSamplingClient({ modelPath: "tinker://x/y" });
  assert.equal(server.sent("create_session").length, 1);
  const models = server.sent("create_model").map(({ body }) => body.model_seq_id);
  assert.deepEqual(models.sort(), [0, 1, 2]);
  const [saved] = server.sent("save_weights_for_sampler");
  const opened = server
    .sent("create_sampling_session")
    .map(({ body }) => body.sampling_session_seq_id);
  assert.equal(saved?.body.sampling_session_seq_id, 0);
  // The scripted server names every checkpoint, so that a sampling session is created for it.
  assert.deepEqual(opened, [1, 2]);
});

test("after a failure to create the session, the next call tries again", async () => {
  const { server, service } = scripted();
  server.script("create_session", { status: 403 });
  await assert.rejects(service.createLoraTrainingClient("a"), tinker.PermissionDeniedError);
  await service.createLoraTrainingClient("a");
});

test("heartbeats are sent every ten seconds, even after a failure", async () => {
  const { server, heart } = await setUp();
  server.script("session_heartbeat", { status: 503 });
  for (let beat = 0; beat < 3; beat += 1) await heart.step(10);
  assert.deepEqual(heart.slept, [10, 10, 10, 10]);
  assert.equal(server.sent("session_heartbeat").length, 3);
  assert.equal(server.sent("session_heartbeat")[0]?.body.session_id, "session");
});

test("a heartbeat with a slow response does not delay the next one", async () => {
  const { server, heart } = await setUp();
  for (const seconds of [9, 15, 0]) {
    server.script("session_heartbeat", () => {
      heart.pass(seconds);
      return {};
    });
    await heart.step(heart.slept.at(-1) ?? 0);
  }
  assert.deepEqual(heart.slept, [10, 1, 0, 10]);
  assert.equal(server.sent("session_heartbeat").length, 3);
});

test("calls fail after the server has ended the session", async () => {
  const { server, heart, training } = await setUp();
  server.script("session_heartbeat", { status: 410 });
  await heart.step(10);
  await assert.rejects(training.optimStep(), tinker.SessionLostError);
  await heart.step(10);
  assert.equal(server.sent("session_heartbeat").length, 1);
});

test("calls fail after two minutes without a heartbeat, until one succeeds", async () => {
  const { server, heart, training } = await setUp();
  server.script("session_heartbeat", ...Array<Error>(13).fill(new TypeError("fetch failed")));
  for (let beat = 0; beat < 13; beat += 1) await heart.step(10);
  await assert.rejects(training.optimStep(), tinker.SessionLostError);
  await heart.step(10);
  await training.optimStep();
});

test("a closed client sends nothing", async () => {
  const { server, heart, training, service } = await setUp();
  service.close();
  await heart.step(10);
  assert.equal(server.sent("session_heartbeat").length, 0);
  await assert.rejects(training.optimStep(), tinker.ClientClosedError);
  await settled();
});

test("the specification allows all retries", () => {
  const { paths } = JSON.parse(readFileSync(SPECIFICATION, "utf8"));
  const retried = [
    ...["create_session", "create_model", "create_sampling_session", "get_server_capabilities"],
    ...["forward", "forward_backward", "optim_step", "save_weights", "save_weights_for_sampler"],
    ...["asample", "retrieve_future"],
    ...["training_runs", "training_runs/{training_run_id}", "checkpoints", "sessions"],
    ...["training_runs/{training_run_id}/checkpoints", "sessions/{session_id}", CHECKPOINT],
    ...["archive", "external_weights_urls", "publish", "ttl"].map((n) => `${CHECKPOINT}/${n}`),
  ];
  const marks = Object.entries<Record<string, { "x-retry": string }>>(paths).flatMap(
    ([path, methods]) =>
      Object.values(methods).map(
        (method) => [path.replace("/api/v1/", ""), method["x-retry"]] as const,
      ),
  );
  const markOf = new Map(marks);
  for (const operation of retried) {
    assert.match(markOf.get(operation) ?? "", /^(safe|sequenced)$/, operation);
  }
  assert.equal(markOf.get("session_heartbeat"), "never");
});

test("a closed session is reported once, if the server accepts a report", async () => {
  for (const protocol of ["0.4.1", "0.38.0"] as const) {
    const { server, service } = scripted({ protocol });
    server.script("sessions/session/finish", { status: 500 });
    await service.createLoraTrainingClient("base");
    await service.close();
    await service.close();
    const bodies = server.sent("sessions/session/finish").map(({ body }) => body);
    const report = { reason: { type: "success" }, detail: null };
    assert.deepEqual(bodies, protocol === "0.4.1" ? [] : [report]);
  }
});

test("a client without a session reports nothing when it is closed", async () => {
  const { server, service } = scripted({ protocol: "0.38.0" });
  await service.close();
  assert.deepEqual(server.requests, []);
});
