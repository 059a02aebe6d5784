"""Optimizer, sampling and adapter parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tinker_ext.errors import InvalidInputError
from tinker_ext.types import AdamParams, LoraConfig, SamplingParams, read_config

if TYPE_CHECKING:
    from collections.abc import Callable


def test_defaults_of_release_0_4_1_are_sent(wire: Callable[[Any], Any]) -> None:
    assert wire(AdamParams()) == {
        "learning_rate": 1e-4,
        "beta1": 0.9,
        "beta2": 0.95,
        "eps": 1e-12,
    }
    assert wire(SamplingParams()) == {"temperature": 1, "top_k": -1, "top_p": 1}
    assert wire(LoraConfig(rank=8)) == {
        "rank": 8,
        "train_unembed": True,
        "train_mlp": True,
        "train_attn": True,
    }


def test_chosen_values_are_sent(wire: Callable[[Any], Any]) -> None:
    chosen: dict[str, Any] = {
        "max_tokens": 5,
        "seed": -1,
        "stop": ["a", "b"],
        "temperature": 0,
        "top_k": 3,
        "top_p": 0.5,
    }
    assert wire(SamplingParams(**chosen)) == chosen
    assert wire(LoraConfig(rank=1, seed=7, train_mlp=False))["seed"] == 7


@pytest.mark.parametrize(
    ("stop", "sent"),
    [
        ("\n", "\n"),
        (["a"], ["a"]),
        (("a", "b"), ["a", "b"]),
        ([1, 2], [1, 2]),
        (np.array([1, 2]), [1, 2]),
        ([], []),
    ],
)
def test_stop_accepts_string_strings_or_token_ids(
    stop: Any, sent: Any, wire: Callable[[Any], Any]
) -> None:
    assert wire(SamplingParams(stop=stop))["stop"] == sent


def test_numpy_scalars_accepted(wire: Callable[[Any], Any]) -> None:
    rate: Any = np.float32(0.5)
    tokens: Any = np.int64(3)
    assert wire(AdamParams(learning_rate=rate))["learning_rate"] == 0.5
    assert wire(SamplingParams(max_tokens=tokens))["max_tokens"] == 3


WRONG: list[tuple[type, dict[str, Any], str]] = [
    (AdamParams, {"learning_rate": -1e-4}, "learning_rate"),
    (AdamParams, {"learning_rate": float("nan")}, "learning_rate"),
    (AdamParams, {"learning_rate": "small"}, "learning_rate"),
    (AdamParams, {"learning_rate": 10**400}, "learning_rate"),
    (AdamParams, {"beta1": 1.0}, "beta1"),
    (AdamParams, {"beta2": -0.1}, "beta2"),
    (AdamParams, {"eps": float("inf")}, "eps"),
    (SamplingParams, {"max_tokens": -1}, "max_tokens"),
    (SamplingParams, {"max_tokens": 2.5}, "max_tokens"),
    (SamplingParams, {"max_tokens": True}, "max_tokens"),
    (SamplingParams, {"seed": 2**63}, "seed"),
    (SamplingParams, {"stop": ["a", 1]}, "stop"),
    (SamplingParams, {"stop": [-1]}, "stop"),
    (SamplingParams, {"stop": b"a"}, "stop"),
    (SamplingParams, {"stop": 5}, "stop"),
    (SamplingParams, {"temperature": -0.1}, "temperature"),
    (SamplingParams, {"temperature": 10**400}, "temperature"),
    (SamplingParams, {"top_k": -2}, "top_k"),
    (SamplingParams, {"top_p": 0}, "top_p"),
    (SamplingParams, {"top_p": 1.1}, "top_p"),
    (LoraConfig, {"rank": 0}, "rank"),
    (LoraConfig, {"rank": 8, "train_mlp": 1}, "train_mlp"),
    (
        LoraConfig,
        {"rank": 8, "train_mlp": False, "train_attn": False, "train_unembed": False},
        "train_attn",
    ),
]


@pytest.mark.parametrize(("make", "arguments", "where"), WRONG)
def test_invalid_value_rejected_with_field_name(
    make: Callable[..., Any], arguments: dict[str, Any], where: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        make(**arguments)
    assert caught.value.where == where


@pytest.mark.parametrize("make", [AdamParams, SamplingParams])
def test_unknown_parameter_raises_type_error(make: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="temprature"):
        make(temprature=1)


def test_read_config_is_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match="use parse_loss_config"):
        assert read_config({"epsilon": 0.2}) == {"epsilon": 0.2}
