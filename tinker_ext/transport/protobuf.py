"""Training data and results as protobuf (`openapi/tinker_public.proto`), from and to numpy.

Imported when a server is found to speak it.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf.message import DecodeError
from tinker_api.proto import tinker_public_pb2 as pb

from tinker_ext import types
from tinker_ext.errors import APIResponseValidationError, InvalidInputError
from tinker_ext.types.numbers import Numbers
from tinker_ext.types.sparse import check_answer
from tinker_ext.types.topk import TopkLogprobs
from tinker_ext.types.two_forms import Logprobs, SomeLogprobs, Tokens, Topk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[Any]

_DTYPES = {"float32": pb.DTYPE_FLOAT32, "int64": pb.DTYPE_INT64}
_WIRE = {"float32": "<f4", "int64": "<i8"}
_LARGEST_TOKEN = 2**31 - 1
_STOP_REASONS = {pb.STOP_REASON_STOP: "stop", pb.STOP_REASON_LENGTH: "length"}
_TOKEN_BYTES = 4  # int32
# Datums of one record, which cost no bytes where it has no fields. Ours; a request has at most 1024
# of them (0.38.0's flag fwdbwd_max_chunk_len).
_MOST_DATUMS = 100_000


def encode_data(
    data: Sequence[types.Datum], loss_fn: str, loss_fn_config: types.LossFnConfig | None
) -> list[bytes]:
    """The parts of a forward_backward's body that don't say whose it is: see `encode_head`.

    One for the loss, then one for each datum. Protobuf copies what it writes several times, which
    costs little in memory that the last datum has left, and much in memory for a whole batch.

    Raises:
        InvalidInputError: what protobuf has no place for, with its datum.
    """
    request = pb.ForwardBackwardRequest(loss_fn=loss_fn)
    for name, setting in (loss_fn_config or {}).items():
        if isinstance(setting, str):
            request.loss_fn_config_v2[name].text = setting
            continue
        # Servers of 0.25 read the first, those of 0.38 the second.
        request.loss_fn_config[name] = setting
        request.loss_fn_config_v2[name].number = setting
    parts: list[bytes] = [request.SerializeToString()]
    for at, datum in enumerate(data):
        part = pb.ForwardBackwardRequest()
        _write_datum(part.data.add(), datum, f"data[{at}]")
        parts.append(part.SerializeToString())
    return parts


def encode_head(model_id: str, seq_id: int, *, forward_only: bool) -> bytes:
    """The part of a forward_backward's body that says whose it is; it may come first or last."""
    return pb.ForwardBackwardRequest(
        model_id=model_id, seq_id=seq_id, forward_only=forward_only
    ).SerializeToString()


def _write_datum(message: pb.Datum, datum: types.Datum, where: str) -> None:
    for at, chunk in enumerate(datum.model_input.chunks):
        _write_chunk(message.model_input.add(), chunk, f"{where}.model_input.chunks[{at}]")
    for name, tensor in datum.loss_fn_inputs.items():
        _write_tensor(message.loss_fn_inputs[name], tensor)
    _write_spans(message.model_input_spans, datum.model_input_spans or [])
    _write_spans(message.loss_fn_input_spans, datum.loss_fn_input_spans or [])


def _write_tensor(message: pb.Tensor, tensor: types.TensorData) -> None:
    values, indices = _packed(tensor.flat, _WIRE[tensor.dtype]), tensor.flat_indices
    if indices is None:
        message.dense = values
    else:
        crow, columns = indices
        message.sparse_csr.values = values
        message.sparse_csr.crow_indices = _packed(crow, "<i8")
        message.sparse_csr.col_indices = _packed(columns, "<i8")
    message.dtype = _DTYPES[tensor.dtype]
    message.shape.extend([tensor.size] if tensor.shape is None else tensor.shape)


def _packed(numbers: Array, dtype: str) -> bytes:
    return numbers.astype(dtype, copy=False).tobytes()


def _write_spans(field: Any, spans: types.ProvenanceSpans) -> None:
    for span in spans:
        added = field.add()
        sampled = isinstance(span, types.SampledProvenanceSpan)
        place = added.sampled_tokens if sampled else added.prompt_tokens
        place.sequence_id, place.offset, place.length = span.sequence_id, span.offset, span.length


def _write_chunk(message: pb.Chunk, chunk: types.ModelInputChunk, where: str) -> None:
    if isinstance(chunk, types.EncodedTextChunk):
        tokens = chunk.flat
        if tokens.size and tokens.max() > _LARGEST_TOKEN:
            raise InvalidInputError(
                f"{tokens.max()} is no token id: a server takes 32 bits", where=where
            )
        message.encoded_text.tokens = tokens.astype("<i4").tobytes()
    elif isinstance(chunk, types.ImageChunk):
        message.image.data = chunk.data
        message.image.format = chunk.format
        if chunk.expected is not None:
            message.image.expected_tokens = chunk.expected
    elif isinstance(chunk, types.DmelChunk):
        message.dmel.dmel = chunk.dmel
    else:
        raise InvalidInputError(
            "this server takes training data as protobuf, which has no image pointers; "
            "send the image itself as an ImageChunk",
            where=where,
        )


def decode_result(
    operation: str, content: bytes
) -> types.ForwardBackwardOutput | types.SampleResponse:
    """The result of `operation`.

    Raises:
        APIResponseValidationError: the content is not such a message.
    """
    read = _sample_response if operation == "asample" else _forward_backward_output
    try:
        return read(content)
    except (ValueError, TypeError, OverflowError, DecodeError) as error:
        raise APIResponseValidationError(
            f"the result can't be read as protobuf: {error}", operation=operation
        ) from error


def _forward_backward_output(content: bytes) -> types.ForwardBackwardOutput:
    message = pb.ForwardBackwardOutput.FromString(content)
    return types.ForwardBackwardOutput(
        loss_fn_output_type=message.loss_fn_output_type.rpartition(":")[2],
        loss_fn_outputs=[row for record in message.loss_fn_outputs for row in _rows(record)],
        metrics=dict(message.metrics),
    )


def _rows(record: pb.ArrayRecord) -> Iterator[dict[str, types.TensorData]]:
    """The outputs of a record's datums, each a map of its fields."""
    columns = {name: _column(field) for name, field in record.fields.items()}
    count = record.num_datums or max(map(len, columns.values()), default=0)
    if not 0 <= count <= _MOST_DATUMS or any(len(column) != count for column in columns.values()):
        sizes = {name: len(column) for name, column in columns.items()}
        raise ValueError(f"a record of {count} datums has fields of {sizes}")
    for at in range(count):
        yield {name: types.TensorData.from_numpy(column[at]) for name, column in columns.items()}


def _column(field: pb.BatchedTensor) -> list[Array]:
    offsets = np.frombuffer(field.offsets, dtype="<i8")
    # Taken once: each look at a message's bytes copies them all.
    data = memoryview(field.data)
    if offsets.size and (offsets[0] < 0 or offsets[-1] > len(data) or _decreases(offsets)):
        raise ValueError(f"offsets that don't follow each other in {len(data)} bytes")
    trailing = list(field.trailing_shape)
    row = max(1, math.prod(trailing))
    arrays = []
    for start, end in pairwise(offsets.tolist()):
        values = _values(data[start:end], field.dtype)
        arrays.append(values.reshape([values.size // row, *trailing]))
    return arrays


def _decreases(numbers: Array) -> bool:
    return bool((numbers[1:] < numbers[:-1]).any())


def _values(data: bytes | memoryview, dtype: int) -> Array:
    match dtype:
        case pb.DTYPE_BFLOAT16:  # The upper half of a float32.
            halves = np.frombuffer(data, dtype="<u2").astype(np.uint32)
            return (halves << 16).view(np.float32)
        case pb.DTYPE_INT64:
            return np.frombuffer(data, dtype="<i8")
        case pb.DTYPE_INT32:
            return np.frombuffer(data, dtype="<i4").astype(np.int64)
    return np.frombuffer(data, dtype="<f4")


def outline(content: bytes) -> dict[str, Any]:
    """The sequences of a sample as JSON has them, with ranges in place of their tokens.

    Empty where it can't be read: that is for whoever takes the result to hear of.
    """
    try:
        sequences = pb.SampleResponse.FromString(content).sequences
    except DecodeError:
        return {}
    return {
        "sequences": [
            {
                "tokens": range(len(one.tokens) // _TOKEN_BYTES),
                "stop_reason": _STOP_REASONS.get(one.stop_reason, str(one.stop_reason)),
            }
            for one in sequences
        ]
    }


def _sample_response(content: bytes) -> types.SampleResponse:
    message = pb.SampleResponse.FromString(content)
    drawn, has = message.prompt_alt_tokens, message.HasField
    return types.SampleResponse(
        sequences=[_sequence(one) for one in message.sequences],
        prompt_logprobs=_optional(message.prompt_logprobs),
        topk_prompt_logprobs=_topk(message.topk_prompt_logprobs)
        if has("topk_prompt_logprobs")
        else None,
        target_prompt_logprobs=_tensor(message.target_prompt_logprobs)
        if has("target_prompt_logprobs")
        else None,
        prompt_cache_hit_tokens=message.prompt_cache_hit_tokens,
        prompt_alt_tokens=types.PromptAltTokens(_tensor(drawn.tokens), _tensor(drawn.logprobs))
        if has("prompt_alt_tokens")
        else None,
    )


def _sequence(message: pb.SampledSequence) -> types.SampledSequence:
    return types.SampledSequence(
        stop_reason=_STOP_REASONS.get(message.stop_reason, str(message.stop_reason)),
        tokens=Tokens(array=np.frombuffer(message.tokens, dtype="<i4")),
        logprobs=Logprobs(array=np.frombuffer(message.logprobs, dtype="<f4"))
        if message.logprobs
        else None,
        topk_logprobs=_topk(message.topk_sampled_logprobs)
        if message.HasField("topk_sampled_logprobs")
        else None,
    )


def _tensor(message: pb.Tensor) -> types.TensorData:
    shape = list(message.shape)
    if not message.HasField("sparse_csr"):
        return types.TensorData.from_numpy(_values(message.dense, message.dtype).reshape(shape))
    sparse = message.sparse_csr
    values = _values(sparse.values, message.dtype)
    crow = np.frombuffer(sparse.crow_indices, dtype="<i8")
    columns = np.frombuffer(sparse.col_indices, dtype="<i8")
    check_answer(values, crow, columns, shape)
    of = Numbers.of_array
    return types.TensorData.in_rows(of(values), of(crow), of(columns), shape)


def _optional(data: bytes) -> SomeLogprobs | None:
    """Logprobs in which NaN stands for none; None where there are none at all."""
    return SomeLogprobs(array=np.frombuffer(data, dtype="<f4")) if data else None


def _topk(message: pb.TopkLogprobs) -> Topk:
    if message.length and not message.k:  # Nothing would bound the number of rows.
        raise ValueError(f"{message.length} positions with no token at any")
    shape = (message.length, message.k)
    return Topk(
        array=TopkLogprobs(
            np.frombuffer(message.token_ids, dtype="<i4").reshape(shape),
            np.frombuffer(message.logprobs, dtype="<f4").reshape(shape),
        )
    )
