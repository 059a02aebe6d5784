/**
 * The messages of openapi/tinker_public.proto that the client needs: training data, and the results
 * of forward_backward and asample. Vectors: requests.json, responses.json.
 */

import type { Schemas } from "./gateway.js";
import type { Fields } from "./rules/redaction.js";

export const PROTOBUF = "application/x-protobuf";

const DTYPES = { float32: 1, int64: 2 } as const;
const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5];

/** A message as bytes; fields with the default value are left out, as in proto3. */
class Writer {
  readonly #parts: Uint8Array[] = [];

  varint(field: number, value: number): this {
    return value ? this.#tag(field, VARINT).#push(varint(value)) : this;
  }

  double(field: number, value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    return this.#tag(field, FIXED64).#push(bytes);
  }

  /** Bytes, a string or a message; `always` writes it even if it is empty. */
  bytes(field: number, value: Uint8Array | string | Writer, always = true): this {
    const bytes =
      typeof value === "string"
        ? new TextEncoder().encode(value)
        : value instanceof Writer
          ? value.finish()
          : value;
    if (!bytes.length && !always) return this;
    return this.#tag(field, BYTES).#push(varint(bytes.length)).#push(bytes);
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#parts);
  }

  #tag(field: number, wire: number): this {
    return this.#push(varint((field << 3) | wire));
  }

  #push(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    return this;
  }
}

function varint(value: number): Uint8Array {
  const bytes = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push(value % 128 | 128);
  return Uint8Array.from([...bytes, value]);
}

/** The fields of a message by number, each with its values; numbers are varints, else bytes. */
type Message = Map<number, (number | Uint8Array)[]>;

/** Parses a message. Throws a RangeError if it is truncated or malformed. */
function parse(bytes: Uint8Array): Message {
  const fields: Message = new Map();
  let at = 0;
  const take = (count: number) => {
    if (at + count > bytes.length) throw new RangeError("the message is truncated");
    return bytes.subarray(at, (at += count));
  };
  const number = () => {
    for (let [value, factor] = [0, 1]; ; factor *= 128) {
      const [byte = 0] = take(1);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = number();
    const wire = tag & 7;
    let value: number | Uint8Array;
    if (wire === VARINT) value = number();
    else if (wire === BYTES) value = take(number());
    else if (wire === FIXED64 || wire === FIXED32) value = take(wire === FIXED64 ? 8 : 4);
    else throw new RangeError(`unknown wire type ${wire}`);
    const field = Math.floor(tag / 8);
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

const all = (message: Message, field: number) => (message.get(field) ?? []).map(asBytes);
const last = (message: Message, field: number) => message.get(field)?.at(-1);
const text = (message: Message, field: number) =>
  new TextDecoder().decode(asBytes(last(message, field) ?? new Uint8Array()));

function asBytes(value: number | Uint8Array): Uint8Array {
  if (typeof value === "number") throw new RangeError("expected bytes, got a number");
  return value;
}

/** Numbers of a little-endian array without framing. */
function numbers(bytes: Uint8Array, kind: "float32" | "int64" | "int32"): number[] {
  const size = kind === "int64" ? 8 : 4;
  if (bytes.length % size)
    throw new RangeError(`${bytes.length} bytes are not an array of ${kind}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / size }, (_, index) => {
    if (kind === "float32") return view.getFloat32(index * size, true);
    if (kind === "int32") return view.getInt32(index * size, true);
    return Number(view.getBigInt64(index * size, true));
  });
}

function packed(values: readonly number[], kind: "float32" | "int64" | "int32"): Uint8Array {
  const size = kind === "int64" ? 8 : 4;
  const view = new DataView(new ArrayBuffer(values.length * size));
  values.forEach((value, index) => {
    if (kind === "float32") view.setFloat32(index * size, value, true);
    else if (kind === "int32") view.setInt32(index * size, value, true);
    else view.setBigInt64(index * size, BigInt(value), true);
  });
  return new Uint8Array(view.buffer);
}

/** A ForwardBackwardRequest; `forwardOnly` computes no gradients. */
export function encodeLossRequest(
  modelId: string,
  seqId: number,
  input: Schemas["ForwardBackwardInput"],
  forwardOnly: boolean,
): Uint8Array {
  const message = new Writer().bytes(1, modelId).varint(2, seqId);
  for (const datum of input.data) message.bytes(3, datumOf(datum));
  message.bytes(4, input.loss_fn);
  for (const [name, value] of Object.entries(input.loss_fn_config ?? {})) {
    if (typeof value === "number") message.bytes(5, new Writer().bytes(1, name).double(2, value));
  }
  message.varint(6, Number(forwardOnly));
  for (const [name, value] of Object.entries(input.loss_fn_config ?? {})) {
    const encoded =
      typeof value === "number" ? new Writer().double(1, value) : new Writer().bytes(2, `${value}`);
    message.bytes(7, new Writer().bytes(1, name).bytes(2, encoded));
  }
  return message.finish();
}

function datumOf({ model_input, loss_fn_inputs }: Schemas["Datum"]): Writer {
  const message = new Writer();
  for (const chunk of model_input.chunks) {
    if (chunk.type !== "encoded_text") throw new TypeError(`${chunk.type} is not supported`);
    const tokens = new Writer().bytes(1, packed(chunk.tokens, "int32"), false);
    message.bytes(1, new Writer().bytes(1, tokens));
  }
  for (const [name, { data, dtype, shape }] of Object.entries(loss_fn_inputs)) {
    const sizes = Buffer.concat((shape ?? [data.length]).map(varint));
    const tensor = new Writer()
      .bytes(1, packed(data, dtype))
      .varint(3, DTYPES[dtype])
      .bytes(4, sizes, false);
    message.bytes(2, new Writer().bytes(1, name).bytes(2, tensor));
  }
  return message;
}

/** The result of an operation in the form of JSON. Throws a RangeError if it is malformed. */
export function decodeResult(operation: string, bytes: Uint8Array): Fields {
  return operation === "asample" ? sampleOf(parse(bytes)) : outputOf(parse(bytes));
}

function outputOf(message: Message): Fields {
  const metrics = all(message, 3).map((entry) => {
    const [name, value] = [text(parse(entry), 1), last(parse(entry), 2)];
    const view = value === undefined ? undefined : Buffer.from(asBytes(value));
    return [name, view?.readDoubleLE() ?? 0] as const;
  });
  return {
    loss_fn_output_type: text(message, 1).split(":").at(-1) ?? "",
    loss_fn_outputs: all(message, 2).flatMap((record) => rowsOf(parse(record))),
    metrics: Object.fromEntries(metrics),
  };
}

/** The outputs of consecutive datums, whose arrays are stored one after the other. */
function rowsOf(record: Message): Fields[] {
  const columns = all(record, 2).map((entry) => {
    const field = parse(entry);
    return [text(field, 1), columnOf(parse(asBytes(last(field, 2) ?? new Uint8Array())))] as const;
  });
  const count = Number(last(record, 3) ?? columns[0]?.[1].length ?? 0);
  return Array.from({ length: count }, (_, at) =>
    Object.fromEntries(
      columns.map(([name, rows]) => {
        const row = rows[at];
        if (rows.length !== count || !row) throw new RangeError(`${name} has ${rows.length} rows`);
        return [name, row];
      }),
    ),
  );
}

function columnOf(field: Message): Fields[] {
  const dtype = last(field, 3) === DTYPES.int64 ? "int64" : "float32";
  const data = asBytes(last(field, 1) ?? new Uint8Array());
  const offsets = numbers(asBytes(last(field, 2) ?? new Uint8Array()), "int64");
  return offsets.slice(1).map((end, at) => {
    const start = offsets[at] ?? 0;
    if (start > end || end > data.length) throw new RangeError("the offsets do not fit the data");
    const values = numbers(data.subarray(start, end), dtype);
    return { data: values, dtype, shape: [values.length] };
  });
}

function sampleOf(message: Message): Fields {
  const sequences = all(message, 1).map((bytes) => {
    const sequence = parse(bytes);
    const logprobs = last(sequence, 3);
    const reason = last(sequence, 1) ?? 0;
    return {
      stop_reason: reason === 0 ? "stop" : reason === 1 ? "length" : `${reason}`,
      tokens: numbers(asBytes(last(sequence, 2) ?? new Uint8Array()), "int32"),
      logprobs: logprobs === undefined ? null : numbers(asBytes(logprobs), "float32"),
    };
  });
  const prompt = last(message, 2);
  return {
    sequences,
    prompt_logprobs:
      prompt === undefined
        ? null
        : numbers(asBytes(prompt), "float32").map((value) => (Number.isNaN(value) ? null : value)),
  };
}
