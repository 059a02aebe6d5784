/**
 * Splits the data of a batch into requests and combines their outputs.
 * Vectors: chunking.json, outputs.json.
 */

import type { Schemas } from "../gateway.js";
import { reduceMetrics, type Reduced } from "./metrics.js";

/** Limits of one request: datums, and numbers (tokens plus tensor entries). */
const MAX_ITEMS = 128;
const MAX_SIZE = 500_000;

/** Splits items into runs of neighbors, `[first, end)`; an item above `maxSize` is its own run. */
export function split(
  sizes: readonly number[],
  maxItems = MAX_ITEMS,
  maxSize = MAX_SIZE,
): [number, number][] {
  const runs: [number, number][] = [];
  let [start, total] = [0, 0];
  sizes.forEach((size, index) => {
    if (index > start && (index - start === maxItems || total + size > maxSize)) {
      runs.push([start, index]);
      [start, total] = [index, 0];
    }
    total += size;
  });
  if (sizes.length > 0) runs.push([start, sizes.length]);
  return runs;
}

/** The size of a datum: the tokens of its input plus the numbers in its tensors. */
export function sizeOf(datum: Schemas["Datum"]): number {
  const tensors = Object.values(datum.loss_fn_inputs).map((tensor) => tensor.data.length);
  return [...datum.model_input.chunks.map(tokensOf), ...tensors].reduce((a, b) => a + b, 0);
}

function tokensOf(chunk: Schemas["ModelInputChunk"]): number {
  if (!("tokens" in chunk)) return 0;
  return Array.isArray(chunk.tokens) ? chunk.tokens.length : (chunk.tokens ?? 0);
}

/** The output of one request; servers may omit empty fields. */
export interface ChunkOutput<T> {
  readonly loss_fn_output_type?: string | null;
  readonly loss_fn_outputs?: readonly T[] | null;
  readonly metrics?: Readonly<Record<string, unknown>> | null;
}

export interface CombinedOutput<T> {
  readonly loss_fn_output_type: string | null;
  readonly loss_fn_outputs: T[];
  readonly metrics: Reduced;
}

/** `datumCounts` are the datums sent per part: the weight of a part without outputs. */
export function combineOutputs<T>(
  parts: readonly ChunkOutput<T>[],
  datumCounts: readonly number[] = [],
): CombinedOutput<T> {
  const typed = parts.find((part) => part.loss_fn_output_type);
  return {
    loss_fn_output_type: typed?.loss_fn_output_type ?? null,
    loss_fn_outputs: parts.flatMap((part) => part.loss_fn_outputs ?? []),
    metrics: reduceMetrics(
      parts.map((part, at) => {
        const weight = part.loss_fn_outputs?.length || (datumCounts[at] ?? 0);
        return [part.metrics ?? {}, weight];
      }),
    ),
  };
}
