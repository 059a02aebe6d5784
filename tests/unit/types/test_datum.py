"""Datum: accepted inputs, encoding and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tinker_ext.errors import InvalidInputError
from tinker_ext.types import DTYPE_BY_KEY, Datum, ModelInput, TensorData

if TYPE_CHECKING:
    from collections.abc import Callable

TOKENS = ModelInput.from_ints([1, 2, 3])


def datum(**inputs: Any) -> Datum:
    return Datum(model_input=TOKENS, loss_fn_inputs=inputs)


def test_json_format_of_release_0_4_1(wire: Callable[[Any], Any]) -> None:
    body = wire(datum(target_tokens=[2, 3, 4], weights=np.array([0, 0.5, 1])))
    assert body == {
        "model_input": {"chunks": [{"tokens": [1, 2, 3], "type": "encoded_text"}]},
        "loss_fn_inputs": {
            "target_tokens": {"data": [2, 3, 4], "dtype": "int64", "shape": [3]},
            "weights": {"data": [0, 0.5, 1], "dtype": "float32", "shape": [3]},
        },
    }


@pytest.mark.parametrize("key", DTYPE_BY_KEY)
def test_list_takes_dtype_of_its_key(key: str) -> None:
    assert datum(**{key: [1, 0, 1]}).loss_fn_inputs[key].dtype == DTYPE_BY_KEY[key]


def test_known_keys_have_dtypes_of_official_client() -> None:
    assert dict(DTYPE_BY_KEY) == {
        "target_tokens": "int64",
        "weights": "float32",
        "advantages": "float32",
        "logprobs": "float32",
        "clip_low_threshold": "float32",
        "clip_high_threshold": "float32",
        "sequence_ratio_mask": "float32",
    }


def test_list_under_unknown_key_infers_dtype() -> None:
    inputs = datum(mask=[1, 0], scale=[1, 0.5], table=[[1, 2], [3, 4.5]]).loss_fn_inputs
    assert [tensor.dtype for tensor in inputs.values()] == ["int64", "float32", "float32"]


def test_array_dtype_does_not_depend_on_key() -> None:
    inputs = datum(weights=np.array([1, 0, 1])).loss_fn_inputs
    assert inputs["weights"].dtype == "int64"


def test_tensor_data_is_not_copied() -> None:
    tensor = TensorData([1, 2, 3], dtype="float32")
    assert datum(anything=tensor).loss_fn_inputs["anything"] is tensor


def test_nested_lists_become_matrix() -> None:
    assert datum(target_tokens=[[1, 2], [3, 4]]).loss_fn_inputs["target_tokens"].shape == [2, 2]


@pytest.mark.parametrize(
    ("inputs", "where"),
    [
        ({"weights": [1.0, None]}, "loss_fn_inputs['weights'][1]"),
        ({"weights": [True, 0.5]}, "loss_fn_inputs['weights'][0]"),
        ({"weights": [[1.0], [1.0, 2.0]]}, "loss_fn_inputs['weights']"),
        ({"weights": np.array([True])}, "loss_fn_inputs['weights']"),
        ({"target_tokens": [1, 1.5]}, "loss_fn_inputs['target_tokens'][1]"),
        ({"target_tokens": "abc"}, "loss_fn_inputs['target_tokens']"),
        ([1, 2], "loss_fn_inputs"),
    ],
)
def test_invalid_input_rejected_with_path(inputs: Any, where: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Datum(model_input=TOKENS, loss_fn_inputs=inputs)
    assert caught.value.where == where
    assert where in str(caught.value)


def test_token_list_as_model_input_rejected_with_advice() -> None:
    tokens: Any = [1, 2]
    with pytest.raises(InvalidInputError, match=r"ModelInput\.from_ints"):
        Datum(model_input=tokens, loss_fn_inputs={})


def test_unknown_argument_raises_type_error() -> None:
    unknown: Any = {"loss_fn_inptus": {}}
    with pytest.raises(TypeError, match="loss_fn_inptus"):
        Datum(model_input=TOKENS, loss_fn_inputs={}, **unknown)


def test_loss_fn_inputs_dict_is_copied() -> None:
    inputs = {"weights": [1.0, 1.0, 1.0]}
    example = Datum(model_input=TOKENS, loss_fn_inputs=inputs)
    inputs["target_tokens"] = [1.0]
    assert list(example.loss_fn_inputs) == ["weights"]
