"""Operations compared with their formulas, and their gradients with finite differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from autograd.core import make_vjp

from tinker_ext.embedded.engine import ops
from tinker_ext.embedded.engine.transformer import MASKED

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 3, 4))
GAIN, WEIGHT = RNG.normal(size=4), RNG.normal(size=(5, 4))
ANGLES = RNG.normal(size=(3, 2))
COS, SIN = np.cos(ANGLES), np.sin(ANGLES)
SCORES = RNG.normal(size=(2, 3, 3))
MASK = np.triu(np.full((3, 3), MASKED), k=1)
LOGITS, TARGETS = RNG.normal(size=(6, 7)), np.array([0, 6, 3, 3, 1, 5])

CASES: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "rms_norm by x": (lambda x: ops.rms_norm(x, GAIN), X),
    "rms_norm by gain": (lambda gain: ops.rms_norm(X, gain), GAIN),
    "swiglu by gate": (lambda gate: ops.swiglu(gate, Y), X),
    "swiglu by up": (lambda up: ops.swiglu(X, up), Y),
    "rotate": (lambda x: ops.rotate(x, COS, SIN), X),
    "attention_weights": (lambda scores: ops.attention_weights(scores, MASK, 0.7), SCORES),
    "pick_logprobs": (lambda logits: ops.pick_logprobs(logits, TARGETS), LOGITS),
    "linear by x": (lambda x: ops.linear(x, WEIGHT), X.reshape(6, 4)),
    "linear by weight": (lambda weight: ops.linear(X.reshape(6, 4), weight), WEIGHT),
}


@pytest.mark.parametrize("case", CASES)
def test_gradient_matches_finite_differences(case: str) -> None:
    function, x = CASES[case]
    backward, value = make_vjp(function, x)
    pull = np.random.default_rng(1).normal(size=value.shape)
    slope = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-6
        slope[place] = np.sum(pull * (function(x + step) - function(x - step))) / 2e-6
    np.testing.assert_allclose(backward(pull), slope, rtol=1e-6, atol=1e-8)


def test_rms_norm_gives_mean_square_one() -> None:
    normal = ops.rms_norm(X * 100, np.ones(4))
    np.testing.assert_allclose(np.mean(normal**2, axis=-1), 1.0, rtol=1e-6)


def test_swiglu_formula() -> None:
    np.testing.assert_allclose(ops.swiglu(X, Y), X / (1 + np.exp(-X)) * Y)


def test_swiglu_is_finite_for_large_inputs() -> None:
    ends = np.array([-1e4, 1e4])
    np.testing.assert_array_equal(ops.swiglu(ends, np.ones(2)), [0.0, 1e4])


def test_rotation_preserves_norms_and_depends_on_distance_only() -> None:
    q, k = RNG.normal(size=4), RNG.normal(size=4)

    def turned(x: Array, position: int) -> Array:
        angles = position * np.array([1.0, 0.1])
        row = ops.rotate(x[None], np.cos(angles)[None], np.sin(angles)[None])
        return np.asarray(row[0], np.float64)

    assert np.linalg.norm(turned(q, 9)) == pytest.approx(np.linalg.norm(q))
    assert turned(q, 9) @ turned(k, 4) == pytest.approx(turned(q, 6) @ turned(k, 1))


def test_attention_weights_are_a_distribution_over_visible_positions() -> None:
    weights = ops.attention_weights(SCORES, MASK, 0.7)
    np.testing.assert_allclose(weights.sum(axis=-1), 1.0)
    assert not weights[:, 0, 1:].any()


def test_pick_logprobs_matches_log_softmax() -> None:
    expected = np.log(np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(ops.pick_logprobs(LOGITS, TARGETS), expected[range(6), TARGETS])


def test_single_precision_is_preserved() -> None:
    x, y, gain, weight, cos, sin, scores, mask, logits = (
        a.astype(np.float32) for a in (X, Y, GAIN, WEIGHT, COS, SIN, SCORES, MASK, LOGITS)
    )
    results = (
        ops.rms_norm(x, gain),
        ops.swiglu(x, y),
        ops.rotate(x, cos, sin),
        ops.attention_weights(scores, mask, 0.7),
        ops.pick_logprobs(logits, TARGETS),
        ops.linear(x.reshape(6, 4), weight),
    )
    assert {result.dtype for result in results} == {np.dtype(np.float32)}
