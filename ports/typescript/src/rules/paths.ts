/** The paths of checkpoints. Vectors: paths.json. */

export type CheckpointType = "training" | "sampler" | "external";

/** The parts of `tinker://RUN/weights/NAME`; some servers leave the kind out. */
export interface CheckpointPath {
  readonly trainingRunId: string;
  /** The segment before the name, such as `weights`; "" if there is none. */
  readonly kind: string;
  readonly name: string;
  readonly type: CheckpointType | undefined;
}

const TYPES = new Map<string, CheckpointType>([
  ["weights", "training"],
  ["sampler_weights", "sampler"],
  ["external_weights", "external"],
  ["checkpoints", "training"],
]);
const PATH = /^tinker:\/\/([^/]+)\/(?:([^/]+)\/)?([^/]+)$/;

/** Returns undefined if `path` is not the path of a checkpoint. */
export function parsePath(path: string): CheckpointPath | undefined {
  const [, trainingRunId = "", kind = "", name = ""] = PATH.exec(path) ?? [];
  // A URL with a dot segment addresses something else (RFC 3986, 5.2.4).
  const isValid = ![trainingRunId, name].some((part) => ["", ".", ".."].includes(part));
  if (!isValid || (kind ? !TYPES.has(kind) : TYPES.has(name))) return undefined;
  return { trainingRunId, kind, name, type: TYPES.get(kind) };
}
