/** What users build, and what is wrong with it before anything is sent. */

import { InvalidInputError } from "./errors.js";
import type { Schemas } from "./gateway.js";

export type Datum = Schemas["Datum"];
export type ModelInput = Schemas["ModelInput"];
export type TensorData = Schemas["TensorData"];

/** Text as a model reads it: token ids of the base model's tokenizer. */
export function modelInput(tokens: readonly number[]): ModelInput {
  return { chunks: [{ type: "encoded_text", tokens: [...tokens] }] };
}

/** One dimension of numbers: integers as int64, such as token ids, or float32. */
export function tensor(data: readonly number[], dtype: TensorData["dtype"]): TensorData {
  return { data: [...data], dtype, shape: [data.length] };
}

export function checkData(data: readonly Datum[]): void {
  if (data.length === 0) throw new InvalidInputError("there are no datums to train on", "data");
  data.forEach((datum, at) => {
    checkInput(datum.model_input, `data[${at}].model_input`);
    for (const [name, value] of Object.entries(datum.loss_fn_inputs)) {
      checkTensor(value, `data[${at}].loss_fn_inputs.${name}`);
    }
  });
}

export function checkInput(input: ModelInput, where: string): void {
  const chunks = input.chunks.filter(
    (chunk) => chunk.type !== "encoded_text" || chunk.tokens.length,
  );
  if (chunks.length === 0) throw new InvalidInputError("the input has no tokens", where);
  input.chunks.forEach((chunk, at) => {
    const wrong = chunk.type === "encoded_text" ? chunk.tokens.findIndex((id) => !isToken(id)) : -1;
    if (wrong >= 0) {
      throw new InvalidInputError(
        "a token id is an integer from 0",
        `${where}.chunks[${at}][${wrong}]`,
      );
    }
  });
}

/** Settings as they are sent; JSON would write null for a NaN or an infinity. */
export function checkNumbers<T extends object>(settings: T, where: string): T {
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw new InvalidInputError(`${value} can't be sent`, `${where}.${name}`);
    }
  }
  return { ...settings };
}

function checkTensor({ data, dtype, shape }: TensorData, where: string): void {
  const fits = dtype === "int64" ? Number.isSafeInteger : Number.isFinite;
  const wrong = data.findIndex((value) => !fits(value));
  if (wrong >= 0) {
    throw new InvalidInputError(`${data[wrong]} can't be sent as ${dtype}`, `${where}[${wrong}]`);
  }
  if (shape && shape.reduce((a, b) => a * b, 1) !== data.length) {
    throw new InvalidInputError(
      `the shape [${shape}] is not that of ${data.length} numbers`,
      where,
    );
  }
}

function isToken(id: number): boolean {
  return Number.isSafeInteger(id) && id >= 0;
}
