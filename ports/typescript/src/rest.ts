/** Lists and changes training runs, checkpoints and sessions. */

import { missing, type Core } from "./core.js";
import { APIStatusError, InvalidInputError } from "./errors.js";
import type { Api, Options, Schemas } from "./gateway.js";
import { parsePath, type CheckpointPath } from "./rules/paths.js";

export interface Page {
  readonly limit?: number;
  readonly offset?: number;
}
/** A signed URL, and when it expires. */
export interface ArchiveUrl {
  readonly url: string;
  readonly expires: Date;
}

const CHECKPOINT =
  "/api/v1/training_runs/{training_run_id}/checkpoints/{checkpoint_kind}/{checkpoint_name}";
/** Seconds that the server may take to pack an archive. */
const ARCHIVE_TIMEOUT = 1800;
/** The lifetime of an archive's URL if the response has none, in milliseconds (0.4.1). */
const ARCHIVE_LIFETIME = 15 * 60 * 1000;

/** A checkpoint is named by its path, such as `tinker://RUN/weights/NAME`. */
export class RestClient {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Returns a page of your training runs, the latest first. */
  async listTrainingRuns(page: Page = {}): Promise<Schemas["TrainingRunsResponse"]> {
    const params = { query: pageOf(page) };
    return this.#core.call("list_training_runs", (api, options) =>
      api.GET("/api/v1/training_runs", { ...options, params }),
    );
  }

  async getTrainingRun(trainingRunId: string): Promise<Schemas["TrainingRun"]> {
    const params = { path: { training_run_id: idIn(trainingRunId, "trainingRunId") } };
    return this.#core.call("get_training_run", (api, options) =>
      api.GET("/api/v1/training_runs/{training_run_id}", { ...options, params }),
    );
  }

  /** Returns all checkpoints of a training run. */
  async listCheckpoints(trainingRunId: string): Promise<Schemas["Checkpoint"][]> {
    const params = { path: { training_run_id: idIn(trainingRunId, "trainingRunId") } };
    const response = await this.#core.call("list_checkpoints", (api, options) =>
      api.GET("/api/v1/training_runs/{training_run_id}/checkpoints", { ...options, params }),
    );
    return response.checkpoints ?? [];
  }

  /** Returns a page of the checkpoints of all your training runs. */
  async listUserCheckpoints(page: Page = {}): Promise<Schemas["CheckpointsListResponse"]> {
    const params = { query: pageOf({ limit: 100, ...page }) };
    return this.#core.call("list_user_checkpoints", (api, options) =>
      api.GET("/api/v1/checkpoints", { ...options, params }),
    );
  }

  /** Deletes a checkpoint. It can't be undone. */
  async deleteCheckpoint(path: string): Promise<void> {
    await this.#change("delete_checkpoint", path, (api, options) =>
      api.DELETE(CHECKPOINT, options),
    );
  }

  /** Makes a checkpoint public. */
  async publishCheckpoint(path: string): Promise<void> {
    await this.#change("publish_checkpoint", path, (api, options) =>
      api.POST(`${CHECKPOINT}/publish`, options),
    );
  }

  /** Makes a public checkpoint private again. */
  async unpublishCheckpoint(path: string): Promise<void> {
    await this.#change("unpublish_checkpoint", path, (api, options) =>
      api.DELETE(`${CHECKPOINT}/publish`, options),
    );
  }

  /** Lets a checkpoint expire in `ttlSeconds` from now, or never with null. */
  async setCheckpointTtl(path: string, ttlSeconds: number | null): Promise<void> {
    if (ttlSeconds !== null) checkInteger(ttlSeconds, 1, "ttlSeconds");
    const body = { ttl_seconds: ttlSeconds };
    await this.#change("set_checkpoint_ttl", path, (api, options) =>
      api.PUT(`${CHECKPOINT}/ttl`, { ...options, body }),
    );
  }

  /** Returns a signed URL of a checkpoint's archive. The server may pack it first. */
  async getCheckpointArchiveUrl(path: string): Promise<ArchiveUrl> {
    const [operation, params] = [
      "get_checkpoint_archive_url",
      { path: paramsOf(checkpoint(path)) },
    ];
    try {
      const { url, expires } = await this.#core.call(
        operation,
        (api, options) => api.GET(`${CHECKPOINT}/archive`, { ...options, params }),
        ARCHIVE_TIMEOUT,
      );
      return archive(url, expires);
    } catch (error) {
      if (!(error instanceof APIStatusError) || error.status !== 302) throw error;
      // The redirect is the response.
      const { location, expires } = error.response.headers;
      if (!location) throw missing("location", operation);
      return archive(location, expires);
    }
  }

  /** Returns the signed URLs of the files of external weights. */
  async getExternalWeightsUrls(path: string): Promise<Schemas["ExternalWeightsUrlsResponse"]> {
    const parsed = checkpoint(path);
    if (parsed.type !== "external") {
      const message = `expected tinker://RUN/external_weights/NAME, got ${path}`;
      throw new InvalidInputError(message, "path");
    }
    const params = { path: paramsOf(parsed) };
    return this.#core.call("get_external_weights_urls", (api, options) =>
      api.GET(`${CHECKPOINT}/external_weights_urls`, { ...options, params }),
    );
  }

  /** Returns a page of session ids, the latest first. */
  async listSessions(page: Page = {}): Promise<string[]> {
    const params = { query: pageOf(page) };
    const response = await this.#core.call("list_sessions", (api, options) =>
      api.GET("/api/v1/sessions", { ...options, params }),
    );
    return response.sessions ?? [];
  }

  /** Returns the training runs and sampling sessions of a session. */
  async getSession(sessionId: string): Promise<Schemas["GetSessionResponse"]> {
    const params = { path: { session_id: idIn(sessionId, "sessionId") } };
    return this.#core.call("get_session", (api, options) =>
      api.GET("/api/v1/sessions/{session_id}", { ...options, params }),
    );
  }

  #change(operation: string, path: string, send: Change): Promise<void> {
    const params = { path: paramsOf(checkpoint(path)) };
    return this.#core.change(operation, (api, options) => send(api, { ...options, params }));
  }
}

type Params = ReturnType<typeof paramsOf>;
type Change = (api: Api, options: Options & { params: { path: Params } }) => Promise<object>;

function paramsOf({ trainingRunId, kind, name }: CheckpointPath) {
  return { training_run_id: trainingRunId, checkpoint_kind: kind, checkpoint_name: name };
}

function checkpoint(path: string): CheckpointPath {
  const parsed = parsePath(path);
  if (parsed) return parsed;
  const expected = "tinker://RUN/weights/NAME, sampler_weights or external_weights";
  throw new InvalidInputError(`expected ${expected}, got ${JSON.stringify(path)}`, "path");
}

/** Checks an id that is a segment of a URL, in which a dot segment addresses something else. */
function idIn(id: string, where: string): string {
  if (!["", ".", ".."].includes(id)) return id;
  throw new InvalidInputError(`expected an id, got ${JSON.stringify(id)}`, where);
}

function pageOf({ limit = 20, offset = 0 }: Page) {
  checkInteger(limit, 1, "limit");
  checkInteger(offset, 0, "offset");
  return { limit, offset };
}

function checkInteger(value: number, least: number, where: string): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new InvalidInputError(`expected an integer of at least ${least}, got ${value}`, where);
}

function archive(url: string, expires: string | undefined): ArchiveUrl {
  const date = new Date(expires ?? "");
  const isValid = !Number.isNaN(date.getTime());
  return { url, expires: isValid ? date : new Date(Date.now() + ARCHIVE_LIFETIME) };
}
