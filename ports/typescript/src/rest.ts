/** Lists and changes training runs, checkpoints, sessions and API keys; reads the use of them. */

import { missing, type Core } from "./core.js";
import {
  APIResponseValidationError,
  APIStatusError,
  DeadlineExceededError,
  InvalidInputError,
  RequestFailedError,
} from "./errors.js";
import type { Api, Options, Schemas } from "./gateway.js";
import { parsePath, type CheckpointPath } from "./rules/paths.js";

export interface Page {
  readonly limit?: number;
  readonly offset?: number;
}
/** The owner of an API key. */
export interface Owner {
  readonly userUrn: string;
  readonly orgUrn: string;
  readonly email: string | undefined;
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
/** Seconds between polls for the export of a trace (0.38.0). */
const TRACE_EXPORT_INTERVAL = 5;
/** The longest period of one request for usage, in milliseconds (0.38.0). */
const LONGEST_USAGE = 14 * 24 * 3600 * 1000;
const HOUR = 3600 * 1000;

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

  /** Returns the training run of a checkpoint. */
  async getTrainingRunOf(path: string): Promise<Schemas["TrainingRun"]> {
    return this.getTrainingRun(checkpoint(path).trainingRunId);
  }

  /** Returns the base model, adapter and optimizer of the weights at a path (0.24.1). */
  async getWeightsInfo(path: string): Promise<Schemas["WeightsInfoResponse"]> {
    const body = { tinker_path: nonEmpty(path, "path") };
    return this.#core.call("get_weights_info", (api, options) =>
      api.POST("/api/v1/weights_info", { ...options, body }),
    );
  }

  /**
   * Copies a checkpoint into a project and returns the path of the copy, which belongs to a new
   * training run.
   */
  async copyWeights(
    path: string,
    { projectId, ttlSeconds }: { projectId?: string; ttlSeconds?: number } = {},
  ): Promise<string> {
    if (ttlSeconds !== undefined) checkInteger(ttlSeconds, 1, "ttlSeconds");
    const body = {
      source_path: nonEmpty(path, "path"),
      ...(projectId === undefined ? {} : { destination_project_id: projectId }),
      ...(ttlSeconds === undefined ? {} : { ttl_seconds: ttlSeconds }),
    };
    const operation = "copy_weights";
    const { tinker_path } = await this.#core.call(operation, (api, options) =>
      api.POST("/api/v1/copy_weights", { ...options, body }),
    );
    if (typeof tinker_path !== "string") throw missing("tinker_path", operation);
    return tinker_path;
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

  /**
   * Returns a page of the sessions that match, the latest first. For the next page, repeat the
   * request with `cursor` set to the page's `next_cursor`.
   */
  async searchSessions(
    body: Schemas["SessionSearchRequest"],
  ): Promise<Schemas["SessionSearchResponse"]> {
    return this.#core.call("search_sessions", (api, options) =>
      api.POST("/api/v1/sessions/search", { ...options, body }),
    );
  }

  /** Moves a session, its training runs and its samplers into a project. */
  async assignSessionProject(sessionId: string, projectId: string): Promise<void> {
    const params = { path: { session_id: idIn(sessionId, "sessionId") } };
    const body = { project_id: nonEmpty(projectId, "projectId") };
    await this.#core.change("set_session_project", (api, options) =>
      api.PUT("/api/v1/sessions/{session_id}/project", { ...options, params, body }),
    );
  }

  /** Exports a Perfetto trace of a session and returns its signed URL. */
  async exportSessionTrace(sessionId: string): Promise<string> {
    const params = { path: { session_id: idIn(sessionId, "sessionId") } };
    const [operation, { clock, deadline }] = ["get_session_trace_export", this.#core];
    const until = clock.now() + deadline;
    for (;;) {
      const { status, url, error } = await this.#core.call(operation, (api, options) =>
        api.GET("/api/v1/sessions/{session_id}/trace_export", { ...options, params }),
      );
      if (status === "ready") {
        if (!url) throw missing("url", operation);
        return url;
      }
      if (status === "failed") {
        const reason = error || "the server gave no reason";
        throw new RequestFailedError(reason, operation, sessionId, "unknown");
      }
      if (clock.now() + TRACE_EXPORT_INTERVAL >= until) {
        const message = `no trace in ${deadline} s, last seen: ${status}`;
        throw new DeadlineExceededError(message, "timeout", operation, sessionId);
      }
      await clock.sleep(TRACE_EXPORT_INTERVAL);
    }
  }

  /** Returns the weights that a sampling session samples from. */
  async getSampler(samplerId: string): Promise<Schemas["GetSamplerResponse"]> {
    const params = { path: { sampler_id: idIn(samplerId, "samplerId") } };
    return this.#core.call("get_sampler", (api, options) =>
      api.GET("/api/v1/samplers/{sampler_id}", { ...options, params }),
    );
  }

  /** Returns the owner of the key, read from the token that the server issues for it (0.32.0). */
  async whoami(): Promise<Owner> {
    const { sub, org_id, email } = claimsOf(await this.#core.token());
    if (typeof sub !== "string" || org_id === undefined) {
      const message = "the token has no sub or org_id claim";
      throw new APIResponseValidationError(message, "create_auth_token");
    }
    const known = typeof email === "string" && email !== "" ? email : undefined;
    return { userUrn: sub, orgUrn: `tml:organization:${String(org_id)}`, email: known };
  }

  /** Returns the name and the owner of the API key that the client uses (0.32.0). */
  async getOwnApiKey(): Promise<Schemas["SelfApiKeyResponse"]> {
    return this.#core.call("get_own_api_key", (api, options) =>
      api.GET("/api/v1/auth/apikey/me", options),
    );
  }

  /** Deletes the API key that the client uses, on the server. It can't be restored. */
  async deleteOwnApiKey(): Promise<void> {
    await this.#core.change("delete_own_api_key", (api, options) =>
      api.DELETE("/api/v1/auth/apikey/me", options),
    );
  }

  /** Returns the events of a day (UTC, such as 2026-01-31), by default today. For administrators. */
  async getAuditLog({
    eventType = "all",
    day,
  }: {
    eventType?: Schemas["AuditEventType"];
    day?: string;
  } = {}): Promise<Schemas["AuditLogResponse"]> {
    const query = { event_type: eventType, ...(day === undefined ? {} : { day }) };
    const params = { query };
    return this.#core.call("get_audit_log", (api, options) =>
      api.GET("/api/v1/audit", { ...options, params }),
    );
  }

  /** Returns the usage by hour, in a period of at most 14 days between full hours (UTC). */
  async getBillingUsage(start: Date, end: Date): Promise<Schemas["BillingUsageResponse"]> {
    for (const [where, date] of Object.entries({ start, end })) {
      if (date.getTime() % HOUR === 0) continue;
      throw new InvalidInputError(`expected a full hour (UTC), got ${String(date)}`, where);
    }
    const period = end.getTime() - start.getTime();
    if (period <= 0 || period > LONGEST_USAGE) {
      const expected = "expected a time after start and at most 14 days later";
      throw new InvalidInputError(`${expected}, got ${end.toISOString()}`, "end");
    }
    const query = { starting_on: start.toISOString(), ending_before: end.toISOString() };
    const params = { query };
    return this.#core.call("get_billing_usage", (api, options) =>
      api.GET("/api/v1/billing/usage/events", { ...options, params }),
    );
  }

  /** Returns the current storage of checkpoints by project and user, optionally of one project. */
  async getCheckpointStorageUsage(
    projectId?: string,
  ): Promise<Schemas["CurrentCheckpointStorageUsageResponse"]> {
    const params = { query: projectId === undefined ? {} : { project_id: projectId } };
    return this.#core.call("get_checkpoint_storage_usage", (api, options) =>
      api.GET("/api/v1/billing/usage/checkpoints/current", { ...options, params }),
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

function nonEmpty(value: string, where: string): string {
  if (value !== "") return value;
  throw new InvalidInputError('expected a text, got ""', where);
}

/** The claims of a token, which is not verified; empty if it is not a token. */
function claimsOf(token: string): Record<string, unknown> {
  const payload = token.split(".")[1] ?? "";
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
    return claims !== null && typeof claims === "object" ? { ...claims } : {};
  } catch {
    return {};
  }
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
