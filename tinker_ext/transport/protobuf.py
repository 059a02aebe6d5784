"""Decodes results in protobuf (`openapi/tinker_public.proto`).

Imported only if a server uses protobuf.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf.message import DecodeError
from tinker_api.proto import tinker_public_pb2 as pb

from tinker_ext import types
from tinker_ext.errors import APIResponseValidationError
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

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Array = npt.NDArray[Any]

_STOP_REASONS = {pb.STOP_REASON_STOP: "stop", pb.STOP_REASON_LENGTH: "length"}
_TOKEN_BYTES = 4  # int32
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
    return types.ForwardBackwardOutput(
        loss_fn_output_type=message.loss_fn_output_type.rpartition(":")[2],
        loss_fn_outputs=[
            row
            for at, record in enumerate(message.loss_fn_outputs)
            for row in _rows(record, f"record {at} of loss_fn_outputs")
        ],
        # Protobuf maps are unordered, and their order differs between processes.
        metrics=dict(sorted(message.metrics.items())),
    )


def _rows(record: pb.ArrayRecord, where: str) -> Iterator[dict[str, types.TensorData]]:
    """The outputs of a record by datum, each a mapping of its fields."""
    columns = {
        name: _column(field, f"{where}, field {name!r}") for name, field in record.fields.items()
    }
    count = record.num_datums or max(map(len, columns.values()), default=0)
    if not 0 <= count <= _MAX_DATUMS or any(len(column) != count for column in columns.values()):
        sizes = {name: len(column) for name, column in columns.items()}
        raise ValueError(f"{where}: {count} datums, but its fields have {sizes}")
    for at in range(count):
        yield {name: types.TensorData.from_view(column[at]) for name, column in columns.items()}


def _column(field: pb.BatchedTensor, where: str) -> list[Array]:
    offsets = _array(field.offsets, "<i8", f"{where}: offsets")
    # Read once: each access to a bytes field copies it.
    data = memoryview(field.data)
    if offsets.size and (offsets[0] < 0 or offsets[-1] > len(data) or _decreases(offsets)):
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


def _decreases(numbers: Array) -> bool:
    return bool((numbers[1:] < numbers[:-1]).any())


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
    targets = "target_prompt_logprobs"
    return types.SampleResponse(
        sequences=[
            _sequence(sequence, f"sequences[{at}]") for at, sequence in enumerate(message.sequences)
        ],
        prompt_logprobs=_optional(message.prompt_logprobs, "prompt_logprobs"),
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


def _optional(data: bytes, where: str) -> OptionalLogprobs | None:
    """Logprobs, with NaN for a missing one; None if the field is empty."""
    return OptionalLogprobs(array=_array(data, "<f4", where)) if data else None


def _topk(message: pb.TopkLogprobs, where: str) -> Topk:
    if message.length and not message.k:  # No data would limit the number of rows.
        raise ValueError(f"{where}: {message.length} positions without any tokens")
    shape = (message.length, message.k)
    tokens = _tokens(message.token_ids, f"{where}.token_ids")
    logprobs = _array(message.logprobs, "<f4", f"{where}.logprobs")
    check_shape(shape, tokens.size, f"{where}.token_ids")
    check_shape(shape, logprobs.size, f"{where}.logprobs")
    return Topk(array=TopkLogprobs(tokens.reshape(shape), logprobs.reshape(shape)))
