"""The numbers of a large training result are decoded to arrays, with the values of a list."""

from __future__ import annotations

import json
import pickle
import sys
from typing import Any

import numpy as np
import orjson
import pytest
from tinker_api import models

from tinker_ext.clients.result_decoding import decode_result
from tinker_ext.errors import APIResponseValidationError
from tinker_ext.redaction.redactor import KEPT_ENTRIES
from tinker_ext.transport.json_decoding import decode
from tinker_ext.transport.response import FetchedResult
from tinker_ext.types import ForwardBackwardOutput, TensorData

COUNT = 20_000
LOGPROBS = np.random.default_rng(0).normal(size=COUNT).tolist()


def body_of(numbers: list[Any], dtype: str | None = "float32", **fields: Any) -> bytes:
    tensor = {"data": numbers, "dtype": dtype, "shape": [len(numbers)], **fields}
    outputs = [{"logprobs": tensor}, {"padding": {"data": LOGPROBS, "dtype": "float32"}}, {}]
    result = {"loss_fn_output_type": "x", "loss_fn_outputs": outputs, "metrics": {"loss:sum": 1.5}}
    return orjson.dumps(result | {"unknown": [1, {"a": None}]})


def tensor_of(content: bytes) -> TensorData:
    result = models.ForwardBackwardOutput.from_dict(decode(content))
    return ForwardBackwardOutput.from_api(result).loss_fn_outputs[0]["logprobs"]


def lists(value: Any) -> Any:
    """The value with lists in place of memoryviews."""
    match value:
        case dict():
            return {name: lists(item) for name, item in value.items()}
        case list():
            return [lists(item) for item in value]
        case memoryview():
            return value.tolist()
    return value


@pytest.mark.parametrize("dtype", ["float32", "int64", "unknown"])
def test_large_result_is_decoded_to_arrays_of_equal_numbers(dtype: str) -> None:
    numbers = [*range(-5, COUNT)] if dtype == "int64" else [*LOGPROBS, 0, -0.0, 5e-324, 2**63]
    content = body_of(numbers, dtype)
    for _ in range(2):  # The parser is kept.
        decoded = decode(content)
        assert isinstance(decoded["loss_fn_outputs"][0]["logprobs"]["data"], memoryview)
        assert lists(decoded) == orjson.loads(content)


def test_numbers_keep_their_precision_in_lists() -> None:
    tensor = tensor_of(body_of(LOGPROBS))
    array = tensor.to_numpy()
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, np.array(LOGPROBS, np.float32))
    assert tensor.data == LOGPROBS
    assert repr(tensor).startswith(f"TensorData([{LOGPROBS[0]}, ")


def test_integers_are_int64() -> None:
    numbers = [*range(COUNT - 1), 2**63 - 1]
    tensor = tensor_of(body_of(numbers, "int64"))
    assert tensor.to_numpy().dtype == np.int64
    assert tensor.to_numpy().tolist() == tensor.data == numbers


def test_tensor_of_a_large_result_is_copied_and_compared() -> None:
    tensor = tensor_of(body_of(LOGPROBS))
    assert pickle.loads(pickle.dumps(tensor)) == tensor
    assert tensor == TensorData(data=LOGPROBS, dtype="float32", shape=[COUNT])


def test_error_of_an_invalid_large_result_is_pickled_with_its_first_numbers() -> None:
    content = body_of(LOGPROBS).replace(b'"shape":[20000]', b'"shape":[3]')
    result = FetchedResult(decode(content), "the-id")
    model, convert = models.ForwardBackwardOutput, ForwardBackwardOutput.from_api
    with pytest.raises(APIResponseValidationError, match="shape") as caught:
        decode_result("forward_backward", result, model, convert)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.body == caught.value.body
    assert copy.body["loss_fn_outputs"][0]["logprobs"]["data"] == LOGPROBS[:KEPT_ENTRIES]


def test_number_beyond_float32_is_infinite() -> None:
    assert np.isinf(tensor_of(body_of([1e300, *LOGPROBS])).to_numpy()[0])


@pytest.mark.parametrize(
    "numbers",
    [[None, 1.5], [[1.5], [2.5]], [1.5, [2.5, 3.5]], ["1.5"], [True], [2**70], {}, "1.5"],
    ids=str,
)
def test_other_values_are_decoded_as_in_a_small_result(numbers: Any) -> None:
    content = body_of([]).replace(b'"data":[]', b'"data":' + json.dumps(numbers).encode(), 1)
    assert decode(content) == orjson.loads(content)
    assert lists(decode(body_of(LOGPROBS))) == orjson.loads(body_of(LOGPROBS))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"loss:sum":1.5', b'"loss:sum":1.5,"loss:sum":2.5'),
        (b'"loss_fn_output_type":"x"', b'"loss_fn_outputs":[],"loss_fn_output_type":"x"'),
    ],
)
def test_document_that_parsers_read_differently_is_read_by_the_usual_one(
    old: bytes, new: bytes
) -> None:
    content = body_of(LOGPROBS).replace(old, new)
    assert lists(decode(content)) == orjson.loads(content)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_metric_that_is_not_finite_is_read(value: str) -> None:
    content = body_of(LOGPROBS).replace(b'"loss:sum":1.5', b'"loss:sum":%s' % value.encode())
    assert not np.isfinite(decode(content)["metrics"]["loss:sum"])


def test_result_is_decoded_without_simdjson(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "simdjson", None)
    content = body_of(LOGPROBS)
    assert decode(content) == orjson.loads(content)


def test_small_result_is_decoded_to_lists() -> None:
    content = b'{"loss_fn_outputs":[{"logprobs":{"data":[1.5],"dtype":"float32"}}]}'
    assert decode(content)["loss_fn_outputs"][0]["logprobs"]["data"] == [1.5]
