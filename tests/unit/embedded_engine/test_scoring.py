"""Log-probabilities of prompts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.unit.embedded_engine.scored import prompt_logprobs
from tinker_ext.embedded.engine.errors import EngineInputError
from tinker_ext.embedded.engine.model import BaseModel
from tinker_ext.embedded.engine.scoring import PromptTable

PROMPT = np.array([3, 1, 4, 1, 5])


def test_logprobs_have_one_entry_per_token_and_none_first(small: BaseModel) -> None:
    scores = prompt_logprobs(small, None, PROMPT)
    assert scores.topk is None
    assert scores.logprobs[0] is None
    assert len(scores.logprobs) == len(PROMPT)
    assert all(value is not None and value < 0 for value in scores.logprobs[1:])


def test_topk_is_sorted_and_matches_logprobs(small: BaseModel) -> None:
    scores = prompt_logprobs(small, None, PROMPT, topk=258)
    assert scores.topk is not None
    assert scores.topk[0] is None
    for token, logprob, best in zip(PROMPT, scores.logprobs, scores.topk, strict=True):
        if best is not None:
            values = [value for _, value in best]
            assert values == sorted(values, reverse=True)
            assert math.fsum(map(math.exp, values)) == pytest.approx(1.0)
            assert dict(best)[int(token)] == logprob


def test_topk_limits_the_number_of_entries(small: BaseModel) -> None:
    scores = prompt_logprobs(small, None, PROMPT, topk=2)
    assert scores.topk is not None
    assert [best and len(best) for best in scores.topk] == [None, 2, 2, 2, 2]


@pytest.mark.parametrize("length", [1, 32])
def test_prompts_of_minimum_and_maximum_length(small: BaseModel, length: int) -> None:
    scores = prompt_logprobs(small, None, np.full(length, 7), topk=1)
    assert len(scores.logprobs) == length
    assert scores.topk is not None
    assert len(scores.topk) == length


@pytest.mark.parametrize("topk", [-1, 259])
def test_topk_out_of_range_is_rejected(small: BaseModel, topk: int) -> None:
    with pytest.raises(EngineInputError) as error:
        prompt_logprobs(small, None, PROMPT, topk)
    assert error.value.where == "topk_prompt_logprobs"


def test_empty_prompt_is_rejected(small: BaseModel) -> None:
    with pytest.raises(EngineInputError, match="0 tokens"):
        prompt_logprobs(small, None, np.array([], np.int64))


def test_targets_are_scored_unless_minus_one(small: BaseModel) -> None:
    table = PromptTable.of(small, None, PROMPT)
    own = table.scores().logprobs[1:]
    targets = np.stack([PROMPT[1:], np.full(4, -1), np.arange(4)], axis=-1)
    result = table.of_targets(targets)
    assert result.shape == targets.shape
    assert result[:, 0].tolist() == pytest.approx(own)
    assert result[:, 1].tolist() == [0.0] * 4
    assert result[2, 2] == pytest.approx(table.table[2, 2])


@pytest.mark.parametrize(
    "targets", [np.zeros(4, int), np.zeros((5, 1), int), np.full((4, 1), 258), np.full((4, 1), -2)]
)
def test_invalid_targets_are_rejected(
    small: BaseModel, targets: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> None:
    with pytest.raises(EngineInputError) as caught:
        PromptTable.of(small, None, PROMPT).of_targets(targets)
    assert caught.value.where == "target_prompt_logprobs"


def test_alternatives_are_drawn_at_temperature_and_scored_at_one(small: BaseModel) -> None:
    table = PromptTable.of(small, None, PROMPT)
    tokens, logprobs = table.alternatives(200, 1.0, seed=1)
    assert tokens.shape == logprobs.shape == (4, 200)
    assert (tokens == table.alternatives(200, 1.0, seed=1)[0]).all()
    assert (tokens != table.alternatives(200, 1.0, seed=2)[0]).any()
    assert logprobs[3, 7] == pytest.approx(table.table[3, tokens[3, 7]])
    cold, _ = table.alternatives(3, 0.0, seed=None)
    assert (cold == table.table.argmax(axis=-1)[:, None]).all()
    # A lower temperature draws likelier tokens.
    assert table.alternatives(200, 0.3, seed=1)[1].mean() > logprobs.mean()
    with pytest.raises(EngineInputError) as caught:
        table.alternatives(259, 1.0, None)
    assert caught.value.where == "prompt_alt_tokens_k"
