/**
 * A batch that is several requests: how its data is split, how their outputs become one.
 * Vectors: chunking.json, outputs.json.
 */

import type { Schemas } from "../gateway.js";
import { reduceMetrics, type Reduced } from "./metrics.js";

/** Datums, and numbers (tokens plus tensor entries), of one request. */
const MAX_ITEMS = 128;
const MAX_SIZE = 500_000;

/** Runs of neighbors, `[first, end)`; an item larger than `maxSize` goes alone. */
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

/** How much a datum weighs: the tokens of its input plus the numbers in its tensors. */
export function sizeOf(datum: Schemas["Datum"]): number {
  const tensors = Object.values(datum.loss_fn_inputs).map((tensor) => tensor.data.length);
  return [...datum.model_input.chunks.map(tokensOf), ...tensors].reduce((a, b) => a + b, 0);
}

function tokensOf(chunk: Schemas["ModelInputChunk"]): number {
  if (!("tokens" in chunk)) return 0;
  return Array.isArray(chunk.tokens) ? chunk.tokens.length : (chunk.tokens ?? 0);
}

/** The output of one request; servers may leave out what is empty. */
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

/** `datumCounts` are the datums sent in each: the weight of a part whose outputs were left out. */
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
