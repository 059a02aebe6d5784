"""Training data and results in protobuf (`openapi/tinker_public.proto`).

A message of the generated module would copy each array into the message and again into its
encoding. Here, only the tags and lengths between the arrays are created in advance; the numbers are
copied once, into the body that is sent. The bytes are those that the generated module writes with
`deterministic=True`, which sorts maps by key.

Imported only if a server uses protobuf.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from attrs import frozen
from google.protobuf.message import DecodeError, Message
from tinker_api.proto import tinker_public_pb2 as pb

from tinker_ext import types
from tinker_ext.errors import APIResponseValidationError, InvalidInputError
from tinker_ext.types.tensors.number_buffer import NumberBuffer
from tinker_ext.types.tensors.received import (
    Logprobs,
    OptionalLogprobs,
    Tokens,
    Topk,
    TopkLogprobs,
    check_shape,
)
from tinker_ext.types.tensors.tensor_data import check_csr

Array: TypeAlias = npt.NDArray[Any]
#: Bytes, or the numbers of an array. A list holds int64 token ids, which are sent as int32.
Part: TypeAlias = "bytes | Array | list[Array]"

_DTYPES = {"float32": pb.DTYPE_FLOAT32, "int64": pb.DTYPE_INT64}
_WIRE = {"float32": "<f4", "int64": "<i8"}
_LARGEST_TOKEN = 2**31 - 1
_TOKEN_BYTES = 4  # int32

# Entries of the caches of lengths and of the bytes around arrays: datums often have equal shapes.
_CACHED = 4096

# Protobuf's wire types.
_VARINT, _LENGTH_DELIMITED = 0, 2
# The fields of a map entry: protobuf's language guide, "Maps".
_KEY, _VALUE = b"\x0a", b"\x12"
_STOP_REASONS = {pb.STOP_REASON_STOP: "stop", pb.STOP_REASON_LENGTH: "length"}
# The numpy dtypes of numbers in results; float32 if the server sends no dtype.
_READ_DTYPES: dict[int, str] = {
    pb.DTYPE_UNSPECIFIED: "<f4",
    pb.DTYPE_FLOAT32: "<f4",
    pb.DTYPE_INT64: "<i8",
    pb.DTYPE_INT32: "<i4",
    pb.DTYPE_BFLOAT16: "<u2",
}
_WIDTHS = {dtype: np.dtype(name).itemsize for dtype, name in _READ_DTYPES.items()}
# Maximum datums of one record, which take no bytes if it has no fields. Ours; a request has at most
# 1024 datums (0.38.0's flag fwdbwd_max_chunk_len).
_MAX_DATUMS = 100_000


def _tag(number: int, wire_type: int = _LENGTH_DELIMITED) -> bytes:
    return _varint(number << 3 | wire_type)


@lru_cache(_CACHED)
def _varint(number: int) -> bytes:
    """Encodes a number from 0 on: seven bits per byte, the lowest first."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_DATA = _tag(pb.ForwardBackwardRequest.DATA_FIELD_NUMBER)
_MODEL_INPUT = _tag(pb.Datum.MODEL_INPUT_FIELD_NUMBER)
_LOSS_FN_INPUTS = _tag(pb.Datum.LOSS_FN_INPUTS_FIELD_NUMBER)
_ENCODED_TEXT = _tag(pb.Chunk.ENCODED_TEXT_FIELD_NUMBER)
_TOKENS = _tag(pb.EncodedTextChunk.TOKENS_FIELD_NUMBER)
_DENSE = _tag(pb.Tensor.DENSE_FIELD_NUMBER)
_SPARSE_CSR = _tag(pb.Tensor.SPARSE_CSR_FIELD_NUMBER)
_DTYPE = _tag(pb.Tensor.DTYPE_FIELD_NUMBER, _VARINT)
_SHAPE = _tag(pb.Tensor.SHAPE_FIELD_NUMBER)
_CSR = tuple(
    map(
        _tag,
        (
            pb.SparseCsr.VALUES_FIELD_NUMBER,
            pb.SparseCsr.CROW_INDICES_FIELD_NUMBER,
            pb.SparseCsr.COL_INDICES_FIELD_NUMBER,
        ),
    )
)


@frozen
class Encoding:
    """The parts of a message in order, and their size in bytes. Building it copies no numbers."""

    parts: list[Part]
    size: int

    def to_bytes(self, head: bytes = b"") -> bytes:
        """The encoded message after `head`, which may hold other fields of it."""
        parts = [part[0].astype("<i4") if type(part) is list else part for part in self.parts]
        return b"".join((head, *parts))  # type: ignore[arg-type]  # arrays have a buffer


def encode_data(
    data: Sequence[types.Datum], loss_fn: str, loss_fn_config: types.LossFnConfig | None
) -> Encoding:
    """Encodes the loss and the datums of a forward_backward body; `encode_head` has the rest.

    Raises:
        InvalidInputError: a datum contains a value that protobuf can't express.
    """
    request = pb.ForwardBackwardRequest(loss_fn=loss_fn)
    for name, setting in (loss_fn_config or {}).items():
        if isinstance(setting, str):
            request.loss_fn_config_v2[name].text = setting
            continue
        # Servers of 0.25 read the first field, those of 0.38 the second.
        request.loss_fn_config[name] = setting
        request.loss_fn_config_v2[name].number = setting
    start = _serialize(request)
    parts: list[Part] = [start]
    size = len(start)
    for at, datum in enumerate(data):
        size += _add_datum(parts, datum, at)
    return Encoding(parts, size)


def encode_head(model_id: str, seq_id: int, *, forward_only: bool) -> bytes:
    """The ids and flags of a forward_backward body; may precede or follow the data."""
    return _serialize(
        pb.ForwardBackwardRequest(model_id=model_id, seq_id=seq_id, forward_only=forward_only)
    )


def _serialize(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def _add_datum(parts: list[Part], datum: types.Datum, at: int) -> int:
    """Adds the parts of a datum, and returns their size in bytes."""
    header = len(parts)
    parts.append(b"")  # Until the size is known.
    size = 0
    for place, chunk in enumerate(datum.model_input.chunks):
        if isinstance(chunk, types.EncodedTextChunk):
            size += _add_text(parts, chunk, at, place)
        else:
            message = _other_chunk(chunk, f"data[{at}].model_input.chunks[{place}]")
            size += _add(parts, _field(_MODEL_INPUT, _serialize(message)))
    inputs = datum.loss_fn_inputs
    for name in sorted(inputs):
        size += _add_tensor(parts, name, inputs[name])
    if datum.model_input_spans or datum.loss_fn_input_spans:
        spans = pb.Datum(
            model_input_spans=_spans(datum.model_input_spans or []),
            loss_fn_input_spans=_spans(datum.loss_fn_input_spans or []),
        )
        size += _add(parts, _serialize(spans))
    head = parts[header] = _DATA + _varint(size)
    return len(head) + size


def _add(parts: list[Part], content: bytes) -> int:
    parts.append(content)
    return len(content)


def _field(tag: bytes, content: bytes) -> bytes:
    return tag + _varint(len(content)) + content


def _add_text(parts: list[Part], chunk: types.EncodedTextChunk, at: int, place: int) -> int:
    tokens = chunk.flat
    size = _TOKEN_BYTES * len(tokens)
    if chunk.bits > _LARGEST_TOKEN:  # All bits of the limit are set: then a token id exceeds it.
        raise InvalidInputError(
            f"{tokens.max()} is not a token id: servers accept 32-bit integers",
            where=f"data[{at}].model_input.chunks[{place}]",
        )
    head = _text_head(size)
    parts += (head, [tokens])
    return len(head) + size


@lru_cache(_CACHED)
def _text_head(size: int) -> bytes:
    """The bytes of a text chunk before `size` bytes of tokens."""
    head = _TOKENS + _varint(size) if size else b""
    head = _ENCODED_TEXT + _varint(len(head) + size) + head
    return _MODEL_INPUT + _varint(len(head) + size) + head


def _add_tensor(parts: list[Part], name: str, tensor: types.TensorData) -> int:
    shape = (tensor.size,) if tensor.shape is None else tuple(tensor.shape)
    # In the byte order of the wire: the same array on most machines.
    values = tensor.flat.astype(_WIRE[tensor.dtype], copy=False)
    indices = tensor.flat_indices
    if indices is not None:
        return _add_sparse(parts, name, tensor.dtype, shape, (values, *indices))
    size = values.nbytes
    head, tail = _dense_frame(name, tensor.dtype, shape, size)
    parts += (head, values, tail)
    return len(head) + size + len(tail)


@lru_cache(_CACHED)
def _dense_frame(name: str, dtype: str, shape: tuple[int, ...], size: int) -> tuple[bytes, bytes]:
    """The bytes of an entry of `loss_fn_inputs` before and after `size` bytes of numbers."""
    return _frame(name, _DENSE + _varint(size), size, dtype, shape)


def _add_sparse(
    parts: list[Part], name: str, dtype: str, shape: tuple[int, ...], arrays: tuple[Array, ...]
) -> int:
    values, *indices = arrays
    sparse: list[Part] = []
    size = 0
    for tag, array in zip(
        _CSR, (values, *(a.astype("<i8", copy=False) for a in indices)), strict=True
    ):
        if array.size:  # Fields without a value are not written.
            start = tag + _varint(array.nbytes)
            sparse += (start, array)
            size += len(start) + array.nbytes
    head, tail = _frame(name, _SPARSE_CSR + _varint(size), size, dtype, shape)
    parts += (head, *sparse, tail)
    return len(head) + size + len(tail)


def _frame(
    name: str, start: bytes, size: int, dtype: str, shape: tuple[int, ...]
) -> tuple[bytes, bytes]:
    """The bytes of an entry around `size` bytes of its field that begins with `start`."""
    sizes = b"".join(map(_varint, shape))
    tail = _DTYPE + _varint(_DTYPES[dtype]) + (_field(_SHAPE, sizes) if sizes else b"")
    value = _VALUE + _varint(len(start) + size + len(tail)) + start
    head = _field(_KEY, name.encode()) + value
    return _LOSS_FN_INPUTS + _varint(len(head) + size + len(tail)) + head, tail


def _other_chunk(chunk: types.ModelInputChunk, where: str) -> pb.Chunk:
    message = pb.Chunk()
    if isinstance(chunk, types.ImageChunk):
        message.image.data = chunk.data
        message.image.format = chunk.format
        if chunk.expected is not None:
            message.image.expected_tokens = chunk.expected
    elif isinstance(chunk, types.DmelChunk):
        message.dmel.dmel = chunk.dmel
    else:
        raise InvalidInputError(
            "this server requires training data as protobuf, which can't express image pointers; "
            "send the image itself as an ImageChunk",
            where=where,
        )
    return message


def _spans(spans: types.ProvenanceSpans) -> Iterator[pb.ProvenanceSpan]:
    for span in spans:
        message = pb.ProvenanceSpan()
        sampled = isinstance(span, types.SampledProvenanceSpan)
        part = message.sampled_tokens if sampled else message.prompt_tokens
        part.sequence_id, part.offset, part.length = span.sequence_id, span.offset, span.length
        yield message


def decode_result(
    operation: str, content: bytes
) -> types.ForwardBackwardOutput | types.SampleResponse:
    """Decodes the result of `operation`.

    Raises:
        APIResponseValidationError: the content is not a valid message.
    """
    decode = _sample_response if operation == "asample" else _forward_backward_output
    try:
        return decode(content)
    except (ValueError, TypeError, OverflowError, DecodeError) as error:
        raise APIResponseValidationError(
            f"the result is not valid protobuf: {error}", operation=operation
        ) from error


def _forward_backward_output(content: bytes) -> types.ForwardBackwardOutput:
    message = pb.ForwardBackwardOutput.FromString(content)
    outputs: list[dict[str, types.TensorData]] = []
    for at, record in enumerate(message.loss_fn_outputs):
        outputs += _rows(record, f"record {at} of loss_fn_outputs")
    return types.ForwardBackwardOutput(
        loss_fn_output_type=message.loss_fn_output_type.rpartition(":")[2],
        loss_fn_outputs=outputs,
        # Protobuf maps are unordered, and their order differs between processes.
        metrics=dict(sorted(message.metrics.items())),
    )


def _rows(record: pb.ArrayRecord, where: str) -> list[dict[str, types.TensorData]]:
    """The outputs of a record by datum, each a mapping of its fields."""
    columns = {
        name: _column(field, f"{where}, field {name!r}") for name, field in record.fields.items()
    }
    counts = set(map(len, columns.values()))
    count = record.num_datums or max(counts, default=0)
    if not 0 <= count <= _MAX_DATUMS or not counts <= {count}:
        sizes = {name: len(column) for name, column in columns.items()}
        raise ValueError(f"{where}: {count} datums, but its fields have {sizes}")
    if not columns:
        return [{} for _ in range(count)]
    view = types.TensorData.from_view
    rows = [map(view, column) for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*rows, strict=True)]


def _column(field: pb.BatchedTensor, where: str) -> list[Array]:
    offsets = _array(field.offsets, "<i8", f"{where}: offsets")
    # Read once: each access to a bytes field copies it.
    data = memoryview(field.data)
    decreases = (offsets[1:] < offsets[:-1]).any()
    if offsets.size and (offsets[0] < 0 or offsets[-1] > len(data) or decreases):
        raise ValueError(f"{where}: the offsets are not increasing within {len(data)} bytes")
    columns = _split(data, offsets, field.dtype, where)
    trailing = list(field.trailing_shape)
    if not trailing:
        return columns
    row = max(1, math.prod(trailing))
    return [
        values.reshape(check_shape([values.size // row, *trailing], values.size, where))
        for values in columns
    ]


def _split(data: memoryview, offsets: Array, dtype: int, where: str) -> list[Array]:
    """The numbers between each two offsets, as views of one array if all bytes are numbers."""
    width = _WIDTHS.get(dtype)
    if width is None or len(data) % width or (offsets % width).any():
        return [_values(data[start:end], dtype, where) for start, end in pairwise(offsets.tolist())]
    numbers = _values(data, dtype, where)
    return [numbers[start:end] for start, end in pairwise((offsets // width).tolist())]


def _array(data: bytes | memoryview, dtype: str, where: str) -> Array:
    """The bytes of a field as numbers."""
    try:
        return np.frombuffer(data, dtype=dtype)
    except ValueError:
        raise ValueError(f"{where}: {len(data)} bytes are not a whole number of {dtype}") from None


def _values(data: bytes | memoryview, dtype: int, where: str) -> Array:
    if dtype not in _READ_DTYPES:
        raise ValueError(f"{where}: unknown dtype {dtype}")
    values = _array(data, _READ_DTYPES[dtype], where)
    if dtype == pb.DTYPE_BFLOAT16:  # The upper half of a float32.
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.int64) if dtype == pb.DTYPE_INT32 else values


def outline(content: bytes) -> dict[str, Any]:
    """The sequences of a sample in the shape of the JSON result, with ranges instead of tokens.

    Empty if the content is invalid: `decode_result` reports that when the result is retrieved.
    """
    try:
        sequences = pb.SampleResponse.FromString(content).sequences
    except DecodeError:
        return {}
    return {
        "sequences": [
            {
                "tokens": range(len(sequence.tokens) // _TOKEN_BYTES),
                "stop_reason": _stop_reason(sequence),
            }
            for sequence in sequences
        ]
    }


def _stop_reason(sequence: pb.SampledSequence) -> str:
    return _STOP_REASONS.get(sequence.stop_reason, str(sequence.stop_reason))


def _sample_response(content: bytes) -> types.SampleResponse:
    message = pb.SampleResponse.FromString(content)
    alternatives, has = message.prompt_alt_tokens, message.HasField
    prompt_logprobs = message.prompt_logprobs
    targets = "target_prompt_logprobs"
    return types.SampleResponse(
        sequences=[
            _sequence(sequence, f"sequences[{at}]") for at, sequence in enumerate(message.sequences)
        ],
        # NaN for a missing one; None if the field is empty.
        prompt_logprobs=OptionalLogprobs(array=_array(prompt_logprobs, "<f4", "prompt_logprobs"))
        if prompt_logprobs
        else None,
        topk_prompt_logprobs=_topk(message.topk_prompt_logprobs, "topk_prompt_logprobs")
        if has("topk_prompt_logprobs")
        else None,
        target_prompt_logprobs=_tensor(message.target_prompt_logprobs, targets)
        if has(targets)
        else None,
        prompt_cache_hit_tokens=message.prompt_cache_hit_tokens,
        prompt_alt_tokens=types.PromptAltTokens(
            _tensor(alternatives.tokens, "prompt_alt_tokens.tokens"),
            _tensor(alternatives.logprobs, "prompt_alt_tokens.logprobs"),
        )
        if has("prompt_alt_tokens")
        else None,
    )


def _sequence(message: pb.SampledSequence, where: str) -> types.SampledSequence:
    logprobs = message.logprobs
    return types.SampledSequence(
        stop_reason=_stop_reason(message),
        tokens=Tokens(array=_tokens(message.tokens, f"{where}.tokens")),
        logprobs=Logprobs(array=_array(logprobs, "<f4", f"{where}.logprobs")) if logprobs else None,
        topk_logprobs=_topk(message.topk_sampled_logprobs, f"{where}.topk_logprobs")
        if message.HasField("topk_sampled_logprobs")
        else None,
    ).checked(where)


def _tokens(data: bytes, where: str) -> Array:
    tokens = _array(data, "<i4", where)
    if tokens.size and tokens.min() < 0:
        at = int(tokens.argmin())
        raise ValueError(f"{where}[{at}]: expected a token id, got {tokens[at]}")
    return tokens


def _tensor(message: pb.Tensor, where: str) -> types.TensorData:
    shape = list(message.shape)
    if not message.HasField("sparse_csr"):
        dense = _values(message.dense, message.dtype, where)
        return types.TensorData.from_numpy(dense.reshape(check_shape(shape, dense.size, where)))
    sparse = message.sparse_csr
    values = _values(sparse.values, message.dtype, where)
    crow = _array(sparse.crow_indices, "<i8", f"{where}.sparse_crow_indices")
    columns = _array(sparse.col_indices, "<i8", f"{where}.sparse_col_indices")
    check_csr(values, crow, columns, shape, where)
    buffer = NumberBuffer.from_array
    return types.TensorData.from_buffers(buffer(values), shape, buffer(crow), buffer(columns))


def _topk(message: pb.TopkLogprobs, where: str) -> Topk:
    if message.length and not message.k:  # No data would limit the number of rows.
        raise ValueError(f"{where}: {message.length} positions without any tokens")
    shape = (message.length, message.k)
    tokens = _tokens(message.token_ids, f"{where}.token_ids")
    logprobs = _array(message.logprobs, "<f4", f"{where}.logprobs")
    check_shape(shape, tokens.size, f"{where}.token_ids")
    check_shape(shape, logprobs.size, f"{where}.logprobs")
    return Topk(array=TopkLogprobs(tokens.reshape(shape), logprobs.reshape(shape)))
