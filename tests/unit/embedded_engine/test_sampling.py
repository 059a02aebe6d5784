"""The distribution drawn from, and that draws follow it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tinker_ext.embedded.engine.sampling import (
    NO_TOP_K,
    Filters,
    distribution,
    draw_from,
    filtered_logprobs,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

PROBABILITIES = np.array([0.1, 0.4, 0.05, 0.3, 0.15])
LOGITS = np.log(PROBABILITIES)[None] + 7.0


def filters(
    rows: int = 1, temperature: float = 1.0, top_k: int = NO_TOP_K, top_p: float = 1.0
) -> Filters:
    return Filters(np.full(rows, temperature), np.full(rows, top_k), np.full(rows, top_p))


def draw(logits: Floats, chosen: Filters, uniforms: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    return draw_from(distribution(logits, chosen), chosen, uniforms)


def probabilities(chosen: Filters) -> Floats:
    result: Floats = np.exp(filtered_logprobs(LOGITS, chosen))[0]
    return result


def test_unfiltered_is_the_softmax() -> None:
    np.testing.assert_allclose(probabilities(filters()), PROBABILITIES)


@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_temperature_divides_the_logits(temperature: float) -> None:
    powers = PROBABILITIES ** (1 / temperature)
    np.testing.assert_allclose(
        probabilities(filters(temperature=temperature)), powers / powers.sum()
    )


@pytest.mark.parametrize(
    ("top_k", "top_p", "kept"),
    [
        (1, 1.0, [1]),
        (3, 1.0, [1, 3, 4]),
        (99, 1.0, [0, 1, 2, 3, 4]),
        (NO_TOP_K, 0.39, [1]),
        (NO_TOP_K, 0.69, [1, 3]),
        (NO_TOP_K, 0.71, [1, 3, 4]),
        (NO_TOP_K, 1e-9, [1]),
        (2, 0.5, [1]),  # of the two kept, the first has 4/7
        (2, 0.6, [1, 3]),
    ],
)
def test_top_k_and_top_p_cut_the_unlikely_and_renormalize(
    top_k: int, top_p: float, kept: list[int]
) -> None:
    expected = np.zeros(5)
    expected[kept] = PROBABILITIES[kept] / PROBABILITIES[kept].sum()
    np.testing.assert_allclose(probabilities(filters(top_k=top_k, top_p=top_p)), expected)


def test_equally_likely_tokens_are_kept_by_lowest_id() -> None:
    result = np.exp(filtered_logprobs(np.zeros((1, 4)), filters(top_k=2)))[0]
    np.testing.assert_allclose(result, [0.5, 0.5, 0, 0])


def test_draws_follow_the_distribution() -> None:
    count = 40_000
    uniforms = np.random.default_rng(0).random(count)
    logits = np.repeat(LOGITS, count, axis=0)
    tokens, logprobs = draw(logits, filters(count, 0.7, 4, 0.97), uniforms)
    expected = probabilities(filters(1, 0.7, 4, 0.97))
    frequencies = np.bincount(tokens, minlength=5) / count
    np.testing.assert_allclose(frequencies, expected, atol=5 * math.sqrt(0.25 / count))
    np.testing.assert_allclose(logprobs, np.log(expected[tokens]))


@pytest.mark.parametrize("uniform", [0.0, 1.0 - 2**-53])
def test_the_ends_of_the_interval_never_draw_what_was_cut(uniform: float) -> None:
    tokens, logprobs = draw(LOGITS, filters(top_k=2), np.array([uniform]))
    assert tokens[0] in (1, 3)
    assert np.isfinite(logprobs).all()


def test_greedy_takes_the_likeliest_and_reports_the_models_own_logprob() -> None:
    tokens, logprobs = draw(LOGITS, filters(temperature=0.0, top_k=1), np.array([0.999]))
    assert tokens.tolist() == [1]
    assert logprobs[0] == pytest.approx(math.log(0.4))


def test_a_tiny_temperature_is_nearly_greedy_without_overflow() -> None:
    tokens, logprobs = draw(LOGITS, filters(temperature=1e-300), np.array([0.999]))
    assert (tokens.tolist(), logprobs.tolist()) == ([1], [0.0])


def test_each_row_has_its_own_settings() -> None:
    chosen = Filters(np.array([0.0, 1.0, 1.0]), np.array([-1, 1, -1]), np.array([1.0, 1.0, 0.39]))
    tokens, logprobs = draw(np.repeat(LOGITS, 3, axis=0), chosen, np.full(3, 0.99))
    assert tokens.tolist() == [1, 1, 1]
    np.testing.assert_allclose(logprobs, [math.log(0.4), 0.0, 0.0], atol=1e-12)
