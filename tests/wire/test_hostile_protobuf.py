"""Any protobuf response results in a value or a typed error, in bounded time and memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinker_api.proto import tinker_public_pb2 as pb

import tinker_ext as tinker
from tinker_ext.transport.response import ProtobufResult

INTS = st.sampled_from([0, 1, 2, 3, 4, 8, 2**31 - 1, 2**40, 2**62, -1, -8, -(2**62)])
OFFSETS = st.lists(INTS, max_size=5).map(lambda some: np.array(some, "<i8").tobytes())
BYTES = st.binary(max_size=40) | OFFSETS
SHAPES = st.lists(INTS, max_size=3)
DTYPES = st.sampled_from([0, 1, 2, 3, 4, 99])
TENSORS = st.builds(
    pb.BatchedTensor, data=BYTES, offsets=OFFSETS | BYTES, dtype=DTYPES, trailing_shape=SHAPES
)
RECORDS = st.builds(
    pb.ArrayRecord,
    type_tag=st.text(max_size=5),
    fields=st.dictionaries(st.sampled_from(["logprobs", "x", ""]), TENSORS, max_size=2),
    num_datums=INTS,
)
OUTPUTS = st.builds(
    pb.ForwardBackwardOutput,
    loss_fn_output_type=st.text(max_size=9),
    loss_fn_outputs=st.lists(RECORDS, max_size=3),
    metrics=st.dictionaries(st.text(max_size=5), st.floats(), max_size=3),
)
CSR = st.builds(pb.SparseCsr, values=BYTES, crow_indices=OFFSETS, col_indices=OFFSETS)
DENSE = st.builds(pb.Tensor, dense=BYTES, dtype=DTYPES, shape=SHAPES)
SPARSE = st.builds(pb.Tensor, sparse_csr=CSR, dtype=DTYPES, shape=SHAPES)
UNSIGNED = INTS.map(lambda number: abs(number) % 2**32)
TOPK = st.builds(pb.TopkLogprobs, token_ids=BYTES, logprobs=BYTES, k=UNSIGNED, length=UNSIGNED)
SEQUENCES = st.builds(
    pb.SampledSequence,
    stop_reason=DTYPES,
    tokens=BYTES,
    logprobs=BYTES,
    topk_sampled_logprobs=st.none() | TOPK,
)
SAMPLES = st.builds(
    pb.SampleResponse,
    sequences=st.lists(SEQUENCES, max_size=2),
    prompt_logprobs=BYTES,
    topk_prompt_logprobs=st.none() | TOPK,
    target_prompt_logprobs=st.none() | DENSE | SPARSE,
)
MESSAGES = (OUTPUTS | SAMPLES).map(lambda message: message.SerializeToString())
MOST_MEMORY = 20_000_000


def decoded(operation: str, content: bytes) -> Any:
    """The decoded result; None if it is rejected with a typed error."""
    result = ProtobufResult(operation, content)
    result.outline()
    try:
        return result.decode()
    except tinker.APIResponseValidationError as error:
        refused = error
    assert refused.operation == operation
    assert len(str(refused)) < 2000
    return None


@settings(max_examples=600)
@given(st.sampled_from(["asample", "forward_backward"]), MESSAGES | st.binary(max_size=200))
def test_any_message_results_in_a_value_or_a_typed_error(operation: str, content: bytes) -> None:
    repr(decoded(operation, content))


@settings(max_examples=300)
@given(MESSAGES, st.data())
def test_damaged_message_results_in_a_value_or_a_typed_error(
    content: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    for operation in ("asample", "forward_backward"):
        repr(decoded(operation, cut))


def output(**record: Any) -> bytes:
    return pb.ForwardBackwardOutput(loss_fn_outputs=[pb.ArrayRecord(**record)]).SerializeToString()


def field(offsets: list[int], size: int, **rest: Any) -> pb.BatchedTensor:
    return pb.BatchedTensor(data=bytes(size), offsets=np.array(offsets, "<i8").tobytes(), **rest)


def matrix(width: int) -> bytes:
    csr = pb.SparseCsr(crow_indices=np.zeros(1001, "<i8").tobytes())
    tensor = pb.Tensor(sparse_csr=csr, dtype=pb.DTYPE_FLOAT32, shape=[1000, width])
    return pb.SampleResponse(target_prompt_logprobs=tensor).SerializeToString()


def topk(length: int) -> bytes:
    """A top-k message with `length` positions without tokens."""
    return pb.SampleResponse(
        topk_prompt_logprobs=pb.TopkLogprobs(length=length)
    ).SerializeToString()


@pytest.mark.parametrize(
    ("operation", "content"),
    [
        ("forward_backward", output(num_datums=2**60)),
        ("forward_backward", output(num_datums=-1)),
        ("forward_backward", output(num_datums=3, fields={"x": field([0, 4], 4)})),
        # Each of 10,000 datums refers to all of the 400,000 bytes.
        ("forward_backward", output(fields={"x": field([0, 400_000] * 10_000, 400_000)})),
        ("forward_backward", output(fields={"x": field([0, 400], 4)})),
        ("forward_backward", output(fields={"x": field([0, 4], 4, trailing_shape=[2**62, 4])})),
        ("asample", matrix(10**9)),
        ("asample", topk(2**31 - 1)),
    ],
    ids=[
        "many",
        "negative",
        "missing",
        "overlapping",
        "beyond",
        "shape",
        "sparse bomb",
        "rows",
    ],
)
def test_small_messages_that_expand_to_large_results_raise(operation: str, content: bytes) -> None:
    tracemalloc.start()
    try:
        assert decoded(operation, content) is None
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < MOST_MEMORY
