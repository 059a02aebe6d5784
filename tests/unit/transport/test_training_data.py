"""The body of a training request: its bytes, and how long they stay in memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import orjson
from attrs import evolve

import tinker_ext as tinker
from tinker_ext.protocol.server_protocol import BASELINE
from tinker_ext.transport.training_data import TrainingData, TrainingRequest

PROTOBUF = evolve(BASELINE, training_body="protobuf")
MODEL = "session:train:0"


def datum(tokens: int) -> tinker.Datum:
    ids = np.arange(tokens)
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(ids),
        loss_fn_inputs={"target_tokens": ids, "weights": np.ones(tokens, np.float32)},
    )


def request(tokens: int) -> TrainingRequest:
    data = TrainingData("forward_backward", [datum(tokens)], "cross_entropy", None, PROTOBUF)
    created = TrainingRequest(data, MODEL, forward_only=False)
    created.number(3)
    return created


async def built_body(training: TrainingRequest) -> bytes:
    await training.prepare(PROTOBUF)
    content: bytes = training.build(PROTOBUF)["content"].read()
    return content


async def test_request_that_is_kept_does_not_keep_its_body() -> None:
    training = request(tokens=100_000)
    await built_body(training)  # Imports what encodes it.
    tracemalloc.start()
    try:
        body = await built_body(training)
        size, with_body = len(body), tracemalloc.get_traced_memory()[0]
        del body
        without_body = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert with_body >= size > 1_000_000
    assert without_body < size / 10


async def test_small_body_and_repeated_body_equal_that_of_a_thread() -> None:
    for tokens in (8, 100_000):  # Encoded on the event loop; in a thread.
        training = request(tokens)
        body = await built_body(training)
        assert body == await built_body(training)
        data = TrainingData("forward_backward", [datum(tokens)], "cross_entropy", None, PROTOBUF)
        assert body == data.protobuf(MODEL, 3, forward_only=False, compress=False)


def test_json_body_references_the_numbers_of_the_datums() -> None:
    item = datum(8)
    data = TrainingData("forward_backward", [item], "cross_entropy", None, BASELINE)
    content = data.json(BASELINE).to_dict()
    weights = content["data"][0]["loss_fn_inputs"]["weights"]["data"]
    assert weights is item.loss_fn_inputs["weights"].flat
    decoded = orjson.loads(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY))
    assert decoded["data"][0]["loss_fn_inputs"]["weights"]["data"] == [1.0] * 8
