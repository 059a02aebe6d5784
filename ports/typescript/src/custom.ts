/**
 * Custom losses, computed in the client.
 *
 * The gradient of any loss L equals that of the linear loss sum(dL/dlogprob * logprob), which is
 * `cross_entropy` with the weights -dL/dlogprob.
 */

import { APIResponseValidationError, InvalidInputError } from "./errors.js";
import type { Datum, TensorData } from "./inputs.js";
import type { ForwardBackwardOutput } from "./training.js";

export interface CustomLossValue {
  readonly loss: number;
  /** The derivatives of the loss by the logprobs: for each datum as many as it has targets. */
  readonly gradients: readonly (readonly number[])[];
  readonly metrics?: Readonly<Record<string, number>>;
}

/** `logprobs` are those of `target_tokens`, for each datum. */
export type CustomLoss = (
  data: readonly Datum[],
  logprobs: readonly (readonly number[])[],
) => CustomLossValue | Promise<CustomLossValue>;

/** The datums of the forward pass: targets, and weights, by default zeros. */
export function forwardData(data: readonly Datum[]): Datum[] {
  return data.map((datum) => {
    const targets = targetsOf(datum);
    const zeros = weightsLike(targets, Array<number>(targets.data.length).fill(0));
    const weights = datum.loss_fn_inputs["weights"] ?? zeros;
    return { ...datum, loss_fn_inputs: { target_tokens: targets, weights } };
  });
}

/** The logprobs in the result of the forward pass. */
export function logprobsOf(data: readonly Datum[], output: ForwardBackwardOutput): number[][] {
  return data.map((datum, at) => {
    const expected = targetsOf(datum).data.length;
    const logprobs = output.lossFnOutputs[at]?.["logprobs"]?.data;
    if (logprobs?.length !== expected) {
      const message = `expected ${expected} logprobs, got ${logprobs?.length ?? "none"}`;
      throw new APIResponseValidationError(`loss_fn_outputs[${at}]: ${message}`, "forward");
    }
    return [...logprobs];
  });
}

/** Datums whose cross-entropy has the gradients of the custom loss. */
export function surrogateData(
  data: readonly Datum[],
  gradients: CustomLossValue["gradients"],
): Datum[] {
  if (gradients.length !== data.length) {
    const message = `expected ${data.length} gradients, one for each datum, got ${gradients.length}`;
    throw new InvalidInputError(message, "gradients");
  }
  return data.map((datum, at) => {
    const [targets, gradient] = [targetsOf(datum), gradients[at] ?? []];
    const [expected, where] = [targets.data.length, `gradients[${at}]`];
    if (gradient.length !== expected) {
      const message = `expected ${expected} numbers, one for each target, got ${gradient.length}`;
      throw new InvalidInputError(message, where);
    }
    const invalid = gradient.findIndex((value) => !Number.isFinite(Math.fround(value)));
    if (invalid >= 0) {
      const message = `float32 cannot represent ${gradient[invalid]}`;
      throw new InvalidInputError(message, `${where}[${invalid}]`);
    }
    const negated = gradient.map((value) => 0 - value);
    const weights = weightsLike(targets, negated);
    return { ...datum, loss_fn_inputs: { target_tokens: targets, weights } };
  });
}

/** The result of the surrogate with the value and metrics of the custom loss. */
export function withLoss(
  output: ForwardBackwardOutput,
  { loss, metrics: own = {} }: CustomLossValue,
): ForwardBackwardOutput {
  const { "loss:sum": surrogate, ...others } = output.metrics;
  const renamed: Record<string, number> =
    surrogate === undefined ? {} : { "surrogate_loss:sum": surrogate };
  return { ...output, metrics: { ...others, ...renamed, "loss:sum": loss, ...own } };
}

function targetsOf({ loss_fn_inputs }: Datum): TensorData {
  const targets = loss_fn_inputs["target_tokens"];
  if (!targets) throw new InvalidInputError("is required", "target_tokens"); // checked before
  return targets;
}

function weightsLike({ shape }: TensorData, data: number[]): TensorData {
  return { data, dtype: "float32", shape: shape ?? [data.length] };
}
