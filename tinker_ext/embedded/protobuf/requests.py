"""Decodes a ForwardBackwardRequest to arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext.embedded.errors import UserFailureError
from tinker_ext.embedded.execution.arrays import LossInput, check_config, not_text
from tinker_ext.embedded.execution.provenance import DatumSpans, Span
from tinker_ext.embedded.execution.sparse import CsrIndices
from tinker_ext.embedded.validation_errors import field_error, unprocessable, validation_error

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from tinker_api.proto import tinker_public_pb2 as pb

    from tinker_ext.embedded.engine.trainer import TrainingDatum

    Array = npt.NDArray[np.generic]


@frozen
class LossRequest:
    """A decoded message. `loss_input` is an error if its data are invalid."""

    model_id: str
    seq_id: int | None
    forward_only: bool
    loss_input: LossInput | UserFailureError


def decode_loss_request(message: bytes) -> LossRequest:
    """Decode a ForwardBackwardRequest.

    Raises:
        RejectedRequestError: the message is malformed (422).
    """
    from google.protobuf.message import DecodeError
    from tinker_api.proto import tinker_public_pb2 as pb

    try:
        request = pb.ForwardBackwardRequest.FromString(message)
    except DecodeError:
        reason = "is not a ForwardBackwardRequest"
        entry = validation_error(("body",), "protobuf_invalid", reason)
        raise unprocessable([entry]) from None
    if not request.model_id:
        raise field_error("model_id", "missing", "is required")
    if request.seq_id < 0:
        raise field_error("seq_id", "greater_than_equal", "must be at least 1")
    return LossRequest(
        model_id=request.model_id,
        seq_id=request.seq_id or None,
        forward_only=request.forward_only,
        loss_input=_loss_input(request),
    )


def _loss_input(request: pb.ForwardBackwardRequest) -> LossInput | UserFailureError:
    """The decoded data, or an error, which is the result of the request."""
    try:
        data = [_datum(datum, f"data[{index}]") for index, datum in enumerate(request.data)]
        spans = [_datum_spans(datum) for datum in request.data]
        return LossInput(data, request.loss_fn, check_config(_config(request)), spans)
    except UserFailureError as error:
        return error


def _config(request: pb.ForwardBackwardRequest) -> dict[str, Any] | None:
    """The settings of the loss; the newer field has precedence."""
    newer = {
        name: value.text if value.WhichOneof("value") == "text" else value.number
        for name, value in request.loss_fn_config_v2.items()
    }
    return newer or dict(request.loss_fn_config) or None


def _datum(message: pb.Datum, where: str) -> TrainingDatum:
    import numpy as np

    from tinker_ext.embedded.engine.trainer import TrainingDatum

    chunks = [
        _tokens(chunk, f"{where}.model_input.chunks[{index}]")
        for index, chunk in enumerate(message.model_input)
    ]
    return TrainingDatum(
        tokens=np.concatenate(chunks) if chunks else np.zeros(0, np.int64),
        inputs={
            name: _tensor(tensor, f"{where}.loss_fn_inputs[{name!r}]")
            for name, tensor in message.loss_fn_inputs.items()
        },
    )


def _datum_spans(message: pb.Datum) -> DatumSpans | None:
    if not (message.model_input_spans or message.loss_fn_input_spans):
        return None
    return DatumSpans(
        model_input=tuple(map(_span, message.model_input_spans)),
        targets=tuple(map(_span, message.loss_fn_input_spans)),
    )


def _span(message: pb.ProvenanceSpan) -> Span:
    sampled = message.WhichOneof("span") == "sampled_tokens"
    span = message.sampled_tokens if sampled else message.prompt_tokens
    return Span(span.sequence_id, span.offset, span.length, sampled)


def _tokens(chunk: pb.Chunk, where: str) -> npt.NDArray[np.int64]:
    import numpy as np

    kind = chunk.WhichOneof("chunk")
    if kind is None:
        raise UserFailureError(f"{where}: the chunk is empty; expected encoded text")
    if kind != "encoded_text":
        raise not_text({"dmel": "audio (dmel)"}.get(kind, kind), where)
    return _numbers(chunk.encoded_text.tokens, "<i4", where).astype(np.int64)


def _tensor(message: pb.Tensor, where: str) -> Array:
    from tinker_api.proto import tinker_public_pb2 as pb

    dtypes: dict[int, str] = {pb.DTYPE_FLOAT32: "<f4", pb.DTYPE_INT64: "<i8"}
    if message.dtype not in dtypes:
        raise UserFailureError(f"{where}: must be float32 or int64")
    dtype, shape = dtypes[message.dtype], list(message.shape)
    if any(size < 0 for size in shape):
        raise UserFailureError(f"{where}: {shape} is not a valid shape")
    if message.WhichOneof("encoding") == "sparse_csr":
        return _finite(_dense(message.sparse_csr, dtype, shape, where), where)
    flat = _numbers(message.dense, dtype, where)
    if message.shape and flat.size != math.prod(shape):
        raise UserFailureError(f"{where}: {flat.size} numbers don't fit the shape {shape}")
    try:
        return _finite(flat.reshape(shape) if message.shape else flat, where)
    except ValueError:  # no numbers, and a shape that numpy rejects
        raise UserFailureError(f"{where}: {shape} is not a valid shape") from None


def _dense(sparse: pb.SparseCsr, dtype: str, shape: list[int], where: str) -> Array:
    indices = CsrIndices(
        rows=_numbers(sparse.crow_indices, "<i8", where),
        columns=_numbers(sparse.col_indices, "<i8", where),
    )
    return indices.to_dense(_numbers(sparse.values, dtype, where), shape, where)


def _numbers(data: bytes, dtype: str, where: str) -> npt.NDArray[Any]:
    import numpy as np

    try:
        return np.frombuffer(data, dtype)
    except ValueError:
        raise UserFailureError(f"{where}: {len(data)} bytes are not an array of {dtype}") from None


def _finite(array: Array, where: str) -> Array:
    import numpy as np

    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UserFailureError(f"{where}: all numbers must be finite")
    return array
