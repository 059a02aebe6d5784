"""A user's code as a type checker sees it. Checked, never run (`test_typing.py`).

A line marked as an error must be one: an ignore that is not needed fails the check.
"""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

from tinker_ext import types


def build(tokens: list[int], weights: npt.NDArray[np.float32]) -> types.Datum:
    """Lists, arrays and tensors mix in one dict."""
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens),
        loss_fn_inputs={
            "target_tokens": tokens,
            "weights": weights,
            "table": [[1.0, 2.0], [3.0, 4.0]],
            "logprobs": types.TensorData.from_numpy(weights),
        },
    )


def inspect(datum: types.Datum) -> None:
    """What a datum holds."""
    tensor = datum.loss_fn_inputs["weights"]
    assert_type(tensor, types.TensorData)
    assert_type(tensor.data, list[int] | list[float])
    assert_type(tensor.shape, list[int] | None)
    assert_type(tensor.to_numpy(), npt.NDArray[Any])
    assert_type(datum.model_input.to_ints(), list[int])
    assert_type(datum.model_input.length, int)
    for chunk in datum.model_input.chunks:
        match chunk:
            case types.EncodedTextChunk():
                assert_type(chunk.tokens, list[int])
            case types.ImageChunk():
                assert_type(chunk.data, bytes)
            case types.ImageAssetPointerChunk():
                assert_type(chunk.location, str)


def read(output: types.ForwardBackwardOutput, response: types.SampleResponse) -> None:
    """What answers hold."""
    assert_type(output.metrics, dict[str, float])
    assert_type(output.loss_fn_outputs, list[dict[str, types.TensorData]])
    for sequence in response.sequences:
        assert_type(sequence.tokens, list[int])
        assert_type(sequence.logprobs, list[float] | None)
        if sequence.stop_reason == "length":
            print("cut")
    assert_type(response.prompt_logprobs, list[float | None] | None)
    assert_type(response.topk_prompt_logprobs, list[list[tuple[int, float]] | None] | None)


def choose() -> None:
    """Settings are typed by name."""
    types.AdamParams(learning_rate=1e-3)
    types.SamplingParams(max_tokens=5, stop=["a"], temperature=0)
    types.SamplingParams(stop=[1, 2])
    types.SamplingParams(max_tokens="5")  # type: ignore[arg-type]  # must be an error
    types.SamplingParams(temprature=0)  # type: ignore[call-arg]  # must be an error
    types.AdamParams(learning_rate=None)  # type: ignore[arg-type]  # must be an error
    types.LoraConfig()  # type: ignore[call-arg]  # must be an error
    types.TensorData([1], dtype="int32")  # type: ignore[arg-type]  # must be an error
    types.ModelInput.from_ints("abc")  # type: ignore[arg-type]  # must be an error
    types.Datum(model_input=[1], loss_fn_inputs={})  # type: ignore[arg-type]  # must be an error


def frozen(params: types.AdamParams) -> None:
    """Nothing is changed in place."""
    params.beta1 = 0.5  # type: ignore[misc]  # must be an error
