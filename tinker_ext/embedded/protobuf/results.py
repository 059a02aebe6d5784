"""Converts results from JSON to protobuf, for clients that accept it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tinker_api.proto import tinker_public_pb2 as pb

    Json = Mapping[str, Any]

# Padding in the rows of top-k logprobs (openapi/tinker_public.proto).
NO_TOKEN, NO_LOGPROB = 0, -99999.0

DTYPES = {"float32": "<f4", "int64": "<i8"}


def to_protobuf(result: bytes) -> bytes | None:
    """The result as a protobuf message, or None if its kind has no message.

    Results are stored as JSON.
    """
    content = orjson.loads(result)
    if "loss_fn_outputs" in content:
        return _loss_message(content).SerializeToString()
    if "sequences" in content:
        return _sample_message(content).SerializeToString()
    return None


def _loss_message(content: Json) -> pb.ForwardBackwardOutput:
    from tinker_api.proto import tinker_public_pb2 as pb

    kind = content["loss_fn_output_type"]
    message = pb.ForwardBackwardOutput(loss_fn_output_type=kind, metrics=content["metrics"])
    # The outputs in one record have the same fields, and shapes that differ in the first size only.
    for _, run in groupby(content["loss_fn_outputs"], _signature):
        outputs = list(run)
        record = message.loss_fn_outputs.add(type_tag=kind, num_datums=len(outputs))
        for name in outputs[0]:
            _fill_column(record.fields[name], [output[name] for output in outputs])
    return message


def _signature(output: Json) -> list[tuple[str, str, list[int]]]:
    return sorted((name, tensor["dtype"], tensor["shape"][1:]) for name, tensor in output.items())


def _fill_column(field: pb.BatchedTensor, tensors: Sequence[Json]) -> None:
    import numpy as np
    from tinker_api.proto import tinker_public_pb2 as pb

    dtype = DTYPES[tensors[0]["dtype"]]
    columns = [np.array(tensor["data"], dtype).tobytes() for tensor in tensors]
    field.data = b"".join(columns)
    field.offsets = np.cumsum([0, *map(len, columns)], dtype="<i8").tobytes()
    field.dtype = pb.DTYPE_FLOAT32 if dtype == "<f4" else pb.DTYPE_INT64
    field.trailing_shape.extend(tensors[0]["shape"][1:])


def _sample_message(content: Json) -> pb.SampleResponse:
    from tinker_api.proto import tinker_public_pb2 as pb

    message = pb.SampleResponse()
    for item in content["sequences"]:
        stopped = item["stop_reason"] == "stop"
        sequence = message.sequences.add(
            stop_reason=pb.STOP_REASON_STOP if stopped else pb.STOP_REASON_LENGTH,
            tokens=_packed(item["tokens"], "<i4"),
            logprobs=_packed(item["logprobs"], "<f4"),
        )
        if item.get("topk_logprobs") is not None:
            _fill_topk(sequence.topk_sampled_logprobs, item["topk_logprobs"])
    if content.get("prompt_logprobs") is not None:
        # null becomes NaN
        message.prompt_logprobs = _packed(content["prompt_logprobs"], "<f4")
    if content.get("topk_prompt_logprobs") is not None:
        _fill_topk(message.topk_prompt_logprobs, content["topk_prompt_logprobs"])
    if content.get("target_prompt_logprobs") is not None:
        _fill_tensor(message.target_prompt_logprobs, content["target_prompt_logprobs"])
    if content.get("prompt_alt_tokens") is not None:
        for name, tensor in content["prompt_alt_tokens"].items():
            _fill_tensor(getattr(message.prompt_alt_tokens, name), tensor)
    return message


def _fill_tensor(field: pb.Tensor, tensor: Json) -> None:
    from tinker_api.proto import tinker_public_pb2 as pb

    dtype = DTYPES[tensor["dtype"]]
    if "sparse_crow_indices" in tensor:
        field.sparse_csr.values = _packed(tensor["data"], dtype)
        field.sparse_csr.crow_indices = _packed(tensor["sparse_crow_indices"], "<i8")
        field.sparse_csr.col_indices = _packed(tensor["sparse_col_indices"], "<i8")
    else:
        field.dense = _packed(tensor["data"], dtype)
    field.dtype = pb.DTYPE_FLOAT32 if dtype == "<f4" else pb.DTYPE_INT64
    field.shape.extend(tensor["shape"])


def _fill_topk(field: pb.TopkLogprobs, rows: Sequence[Sequence[Any] | None]) -> None:
    field.k = max((len(row) for row in rows if row), default=0)
    field.length = len(rows)
    padding = [(NO_TOKEN, NO_LOGPROB)] * field.k
    pairs = [pair for row in rows for pair in [*(row or ()), *padding][: field.k]]
    field.token_ids = _packed((token for token, _ in pairs), "<i4")
    field.logprobs = _packed((logprob for _, logprob in pairs), "<f4")


def _packed(numbers: Iterable[float | None], dtype: str) -> bytes:
    import numpy as np

    return np.array(list(numbers), dtype).tobytes()
