/** The inputs of requests, and their validation. */

import { InvalidInputError } from "./errors.js";
import type { Schemas } from "./gateway.js";

export type Datum = Schemas["Datum"];
export type ModelInput = Schemas["ModelInput"];
export type TensorData = Schemas["TensorData"];

/** Creates an input from token ids of the base model's tokenizer. */
export function modelInput(tokens: readonly number[]): ModelInput {
  return { chunks: [{ type: "encoded_text", tokens: [...tokens] }] };
}

/** Creates a one-dimensional tensor of int64, such as token ids, or float32. */
export function tensor(data: readonly number[], dtype: TensorData["dtype"]): TensorData {
  return { data: [...data], dtype, shape: [data.length] };
}

/** Throws if no server accepts `data`. A server checks what other losses than cross_entropy need. */
export function checkData(data: readonly Datum[], loss: string): void {
  if (data.length === 0) throw new InvalidInputError("the batch has no datums", "data");
  data.forEach((datum, at) => {
    checkInput(datum.model_input, `data[${at}].model_input`);
    for (const [name, value] of Object.entries(datum.loss_fn_inputs)) {
      checkTensor(value, `data[${at}].loss_fn_inputs.${name}`);
    }
    if (loss === "cross_entropy") checkCrossEntropy(datum, `data[${at}].loss_fn_inputs`);
  });
}

/** The targets have a row per token, and weights with as many dimensions have the same shape. */
function checkCrossEntropy({ model_input, loss_fn_inputs: inputs }: Datum, where: string): void {
  const [targets, weights] = [inputs["target_tokens"], inputs["weights"]];
  if (!targets) throw new InvalidInputError("cross_entropy requires target_tokens", where);
  if (targets.dtype !== "int64") {
    throw new InvalidInputError(`expected int64, got ${targets.dtype}`, `${where}.target_tokens`);
  }
  const text = model_input.chunks.flatMap((chunk) =>
    chunk.type === "encoded_text" ? [chunk.tokens.length] : [],
  );
  const [shape, tokens] = [shapeOf(targets), text.reduce((a, b) => a + b, 0)];
  if (text.length === model_input.chunks.length && shape[0] !== tokens) {
    const message = `expected ${tokens} targets to match the input tokens, got ${shape[0]}`;
    throw new InvalidInputError(message, `${where}.target_tokens`);
  }
  if (weights && shapeOf(weights).length === shape.length && `${shapeOf(weights)}` !== `${shape}`) {
    const message = `expected the shape [${shape}] of target_tokens, got [${shapeOf(weights)}]`;
    throw new InvalidInputError(message, `${where}.weights`);
  }
}

function shapeOf({ data, shape }: TensorData): readonly number[] {
  return shape?.length ? shape : [data.length];
}

export function checkInput(input: ModelInput, where: string): void {
  const chunks = input.chunks.filter(
    (chunk) => chunk.type !== "encoded_text" || chunk.tokens.length,
  );
  if (chunks.length === 0) throw new InvalidInputError("the input has no tokens", where);
  input.chunks.forEach((chunk, at) => {
    const invalid =
      chunk.type === "encoded_text" ? chunk.tokens.findIndex((id) => !isToken(id)) : -1;
    if (invalid >= 0) {
      throw new InvalidInputError(
        "expected a token id, an integer of at least 0",
        `${where}.chunks[${at}][${invalid}]`,
      );
    }
  });
}

/** Copies settings after checking their numbers; JSON would write null for NaN or infinity. */
export function checkNumbers<T extends object>(settings: T, where: string): T {
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw new InvalidInputError(`expected a finite number, got ${value}`, `${where}.${name}`);
    }
  }
  return { ...settings };
}

function checkTensor({ data, dtype, shape }: TensorData, where: string): void {
  const isValid = dtype === "int64" ? Number.isSafeInteger : Number.isFinite;
  const invalid = data.findIndex((value) => !isValid(value));
  if (invalid >= 0) {
    throw new InvalidInputError(
      `${dtype} cannot represent ${data[invalid]}`,
      `${where}[${invalid}]`,
    );
  }
  if (shape && shape.reduce((a, b) => a * b, 1) !== data.length) {
    throw new InvalidInputError(
      `the shape [${shape}] does not match ${data.length} numbers`,
      where,
    );
  }
}

function isToken(id: number): boolean {
  return Number.isSafeInteger(id) && id >= 0;
}
