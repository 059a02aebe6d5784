"""Adam compared with closed-form solutions of the paper's algorithm."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinker_ext.embedded.engine.adam import Adam, AdamSettings, clip_factor, global_norm
from tinker_ext.embedded.engine.errors import EngineInputError


def test_first_step_has_the_size_of_the_learning_rate() -> None:
    start = {"x": np.array([1.0, 1.0, 1.0])}
    moved = Adam(start).step(start, {"x": np.array([1e-5, -40.0, 0.0])}, AdamSettings())
    np.testing.assert_allclose(moved["x"], [1 - 1e-4, 1 + 1e-4, 1.0], rtol=1e-6)


def test_later_steps_follow_the_closed_form() -> None:
    """After n steps the moments are weighted means of all gradients."""
    settings = AdamSettings(learning_rate=0.1, beta1=0.8, beta2=0.95, eps=1e-3)
    gradients = [2.0, -1.0, 0.5, 3.0]
    parameters = {"x": np.array([0.7])}
    adam = Adam(parameters)
    for gradient in gradients:
        parameters = adam.step(parameters, {"x": np.array([gradient])}, settings)

    expected = 0.7
    for n in range(1, len(gradients) + 1):
        ages = range(n - 1, -1, -1)
        first = sum(0.8**age * g for age, g in zip(ages, gradients, strict=False))
        second = sum(0.95**age * g * g for age, g in zip(ages, gradients, strict=False))
        mean = first / sum(0.8**age for age in range(n))
        square = second / sum(0.95**age for age in range(n))
        expected -= 0.1 * mean / (math.sqrt(square) + 1e-3)
    np.testing.assert_allclose(parameters["x"], [expected], rtol=1e-12)
    assert adam.step_count == 4


def test_zero_epsilon_and_zero_gradient_give_no_nan() -> None:
    start = {"x": np.array([1.0, 2.0])}
    moved = Adam(start).step(start, {"x": np.array([0.0, 1.0])}, AdamSettings(eps=0.0))
    assert moved["x"][0] == 1.0
    assert moved["x"][1] < 2.0


def test_weight_decay_does_not_change_the_moments() -> None:
    """Two steps by hand: each subtracts 5% of the value, then Adam's update."""
    settings = AdamSettings(learning_rate=0.1, weight_decay=0.5, beta1=0.0, beta2=0.0, eps=0.0)
    parameters = {"x": np.array([2.0, -4.0, 1.0])}
    adam = Adam(parameters)
    for gradient in ([3.0, -5.0, 0.0], [1.0, 1.0, 0.0]):
        parameters = adam.step(parameters, {"x": np.array(gradient)}, settings)
    by_hand = [(2 * 0.95 - 0.1) * 0.95 - 0.1, (-4 * 0.95 + 0.1) * 0.95 - 0.1, 0.95 * 0.95]
    np.testing.assert_allclose(parameters["x"], by_hand, rtol=1e-12)
    np.testing.assert_array_equal(adam.first["x"], [1.0, 1.0, 0.0])


def test_zero_learning_rate_disables_weight_decay() -> None:
    start = {"x": np.array([2.0])}
    moved = Adam(start).step(
        start, {"x": np.ones(1)}, AdamSettings(learning_rate=0.0, weight_decay=0.5)
    )
    assert moved["x"] == start["x"]


def test_gradients_are_clipped_by_global_norm_before_the_moments() -> None:
    start = {"x": np.zeros(2), "y": np.zeros(1)}
    gradients = {"x": np.array([2.0, 3.0]), "y": np.array([-6.0])}  # norm 7
    assert global_norm(gradients) == 7
    adam, clipped = Adam(start), Adam(start)
    clipped.step(start, gradients, AdamSettings(grad_clip_norm=3.5))
    adam.step(start, {name: value / 2 for name, value in gradients.items()}, AdamSettings())
    for name in start:
        np.testing.assert_allclose(clipped.first[name], adam.first[name], rtol=1e-12)
        np.testing.assert_allclose(clipped.second[name], adam.second[name], rtol=1e-12)
    np.testing.assert_array_equal(gradients["x"], [2.0, 3.0])


@pytest.mark.parametrize(("largest", "factor"), [(0.0, 1.0), (5.0, 1.0), (6.0, 1.0), (2.5, 0.5)])
def test_clip_factor(largest: float, factor: float) -> None:
    assert clip_factor({"x": np.array([3.0]), "y": np.array([-4.0])}, largest) == factor


def test_global_norm_exceeds_single_precision() -> None:
    assert global_norm({"x": np.full(4, 1e30, np.float32)}) == pytest.approx(2e30)


def test_single_precision_is_preserved() -> None:
    start = {"x": np.ones(2, np.float32)}
    adam = Adam(start)
    settings = AdamSettings(weight_decay=0.1, grad_clip_norm=0.5)
    moved = adam.step(start, {"x": np.ones(2, np.float32)}, settings)
    assert moved["x"].dtype == adam.first["x"].dtype == adam.second["x"].dtype == np.float32


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", -1e-4),
        ("learning_rate", math.nan),
        ("beta1", 1.0),
        ("beta2", -0.1),
        ("eps", math.inf),
        ("weight_decay", -0.1),
        ("weight_decay", math.nan),
        ("grad_clip_norm", -1.0),
        ("grad_clip_norm", math.inf),
    ],
)
def test_invalid_setting_is_named(name: str, value: float) -> None:
    with pytest.raises(EngineInputError) as error:
        AdamSettings(**{name: value})
    assert error.value.where == f"adam_params.{name}"
