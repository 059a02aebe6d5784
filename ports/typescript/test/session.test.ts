/** The session: one for all, kept alive, lost. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as tinker from "../src/index.js";
import { scripted, settled, SPECIFICATION, SteppedClock } from "./support.js";

async function beating() {
  const heart = new SteppedClock();
  const all = scripted({ heart });
  const training = await all.service.createLoraTrainingClient("base");
  return { ...all, heart, training };
}

test("one session for all, made on first need; models and samplers are counted from 0", async () => {
  const { server, service } = scripted();
  assert.equal(server.seen.length, 0);
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
  // The scripted server gives every checkpoint a name, so that a session is opened on it.
  assert.deepEqual(opened, [1, 2]);
});

test("a session that could not be made is asked for again by the next call", async () => {
  const { server, service } = scripted();
  server.script("create_session", { status: 403 });
  await assert.rejects(service.createLoraTrainingClient("a"), tinker.PermissionDeniedError);
  await service.createLoraTrainingClient("a");
});

test("a heartbeat every ten seconds, whatever became of the last", async () => {
  const { server, heart } = await beating();
  server.script("session_heartbeat", { status: 503 });
  for (let beat = 0; beat < 3; beat += 1) await heart.step(10);
  assert.deepEqual(heart.slept, [10, 10, 10, 10]);
  assert.equal(server.sent("session_heartbeat").length, 3);
  assert.equal(server.sent("session_heartbeat")[0]?.body.session_id, "session");
});

test("a session that the server has ended is lost", async () => {
  const { server, heart, training } = await beating();
  server.script("session_heartbeat", { status: 410 });
  await heart.step(10);
  await assert.rejects(training.optimStep(), tinker.SessionLostError);
  await heart.step(10);
  assert.equal(server.sent("session_heartbeat").length, 1);
});

test("two minutes of silence are an error, until a heartbeat gets through", async () => {
  const { server, heart, training } = await beating();
  server.script("session_heartbeat", ...Array<Error>(13).fill(new TypeError("fetch failed")));
  for (let beat = 0; beat < 13; beat += 1) await heart.step(10);
  await assert.rejects(training.optimStep(), tinker.SessionLostError);
  await heart.step(10);
  await training.optimStep();
});

test("a closed client sends no heartbeat, and nothing else", async () => {
  const { server, heart, training, service } = await beating();
  service.close();
  await heart.step(10);
  assert.equal(server.sent("session_heartbeat").length, 0);
  await assert.rejects(training.optimStep(), tinker.ClientClosedError);
  await settled();
});

test("the specification lets us repeat what we repeat", () => {
  const { paths } = JSON.parse(readFileSync(SPECIFICATION, "utf8"));
  const repeated = [
    ...["create_session", "create_model", "create_sampling_session", "get_server_capabilities"],
    ...["forward", "forward_backward", "optim_step", "save_weights", "save_weights_for_sampler"],
    ...["asample", "retrieve_future"],
  ];
  const marks = Object.entries<Record<string, { "x-retry": string }>>(paths).flatMap(
    ([path, methods]) =>
      Object.values(methods).map((one) => [path.replace("/api/v1/", ""), one["x-retry"]] as const),
  );
  const markOf = new Map(marks);
  for (const operation of repeated) {
    assert.match(markOf.get(operation) ?? "", /^(safe|sequenced)$/, operation);
  }
  assert.equal(markOf.get("session_heartbeat"), "never");
});
