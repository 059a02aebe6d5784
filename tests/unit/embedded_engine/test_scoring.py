"""Prompt log-probabilities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tinker_ext.embedded.engine.errors import EngineInputError
from tinker_ext.embedded.engine.scoring import prompt_logprobs

if TYPE_CHECKING:
    from tinker_ext.embedded.engine.model import BaseModel

PROMPT = np.array([3, 1, 4, 1, 5])


def test_one_entry_per_token_and_none_for_the_first(small: BaseModel) -> None:
    scores = prompt_logprobs(small, None, PROMPT)
    assert scores.topk is None
    assert scores.logprobs[0] is None
    assert len(scores.logprobs) == len(PROMPT)
    assert all(value is not None and value < 0 for value in scores.logprobs[1:])


def test_the_likeliest_come_first_and_agree_with_the_logprobs(small: BaseModel) -> None:
    scores = prompt_logprobs(small, None, PROMPT, topk=258)
    assert scores.topk is not None
    assert scores.topk[0] is None
    for token, logprob, best in zip(PROMPT, scores.logprobs, scores.topk, strict=True):
        if best is not None:
            values = [value for _, value in best]
            assert values == sorted(values, reverse=True)
            assert math.fsum(map(math.exp, values)) == pytest.approx(1.0)
            assert dict(best)[int(token)] == logprob


def test_topk_limits_the_entries(small: BaseModel) -> None:
    scores = prompt_logprobs(small, None, PROMPT, topk=2)
    assert scores.topk is not None
    assert [best and len(best) for best in scores.topk] == [None, 2, 2, 2, 2]


@pytest.mark.parametrize("length", [1, 32])
def test_shortest_and_longest_prompt(small: BaseModel, length: int) -> None:
    scores = prompt_logprobs(small, None, np.full(length, 7), topk=1)
    assert len(scores.logprobs) == length
    assert scores.topk is not None
    assert len(scores.topk) == length


@pytest.mark.parametrize("topk", [-1, 259])
def test_topk_has_bounds(small: BaseModel, topk: int) -> None:
    with pytest.raises(EngineInputError) as error:
        prompt_logprobs(small, None, PROMPT, topk)
    assert error.value.where == "topk_prompt_logprobs"


def test_an_empty_prompt_is_refused(small: BaseModel) -> None:
    with pytest.raises(EngineInputError, match="0 tokens"):
        prompt_logprobs(small, None, np.array([], np.int64))
