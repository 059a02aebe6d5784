"""Batched sampling gives the tokens and log-probabilities of sampling one position at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.unit.embedded_engine.scored import prompt_logprobs
from tinker_ext.embedded.engine.errors import EngineInputError
from tinker_ext.embedded.engine.generate import generate, stop_sequences
from tinker_ext.embedded.engine.jobs import SampleJob
from tinker_ext.embedded.engine.model import BaseModel
from tinker_ext.embedded.engine.text import END_OF_TEXT, encode
from tinker_ext.embedded.engine.trainer import LoraSettings, Trainer

PROMPT = np.array([10, 20, 30])


def job(prompt: Any = PROMPT, **settings: Any) -> SampleJob:
    return SampleJob(np.array(prompt), **{"max_tokens": 8, "stop": [], "seed": 1, **settings})


def tokens_of(model: BaseModel, *jobs: SampleJob) -> list[list[list[int]]]:
    return [[sample.tokens for sample in samples] for samples in generate(model, None, jobs)]


def test_greedy_sampling_chooses_the_likeliest_tokens(small: BaseModel) -> None:
    [[sampled]] = generate(small, None, [job(temperature=0.0)])
    sequence = list(PROMPT)
    for token, logprob in zip(sampled.tokens, sampled.logprobs, strict=True):
        scores = prompt_logprobs(small, None, np.array([*sequence, token]), topk=1)
        assert scores.topk is not None
        assert scores.topk[-1] is not None
        [(best, value)] = scores.topk[-1]
        assert best == token
        assert value == pytest.approx(logprob)
        sequence.append(token)


def test_logprobs_at_temperature_one_match_the_model(
    small: BaseModel, stirred: Callable[[LoraSettings], Trainer]
) -> None:
    adapter = stirred(LoraSettings(rank=2)).adapter()
    [[sampled]] = generate(small, adapter, [job(temperature=1.0)])
    scored = prompt_logprobs(small, adapter, np.array([*PROMPT, *sampled.tokens]))
    assert scored.logprobs[len(PROMPT) :] == pytest.approx(sampled.logprobs)


def test_logprobs_match_the_filtered_distribution(small: BaseModel) -> None:
    [[sampled]] = generate(small, None, [job(temperature=0.5, top_k=3)])
    sequence = list(PROMPT)
    for token, logprob in zip(sampled.tokens, sampled.logprobs, strict=True):
        best = prompt_logprobs(small, None, np.array([*sequence, token]), topk=3).topk
        assert best is not None
        assert best[-1] is not None
        powers = {other: np.exp(value / 0.5) for other, value in best[-1]}
        assert logprob == pytest.approx(np.log(powers[token] / sum(powers.values())))
        sequence.append(token)


def test_equal_seeds_give_equal_tokens(small: BaseModel) -> None:
    assert tokens_of(small, job(seed=5)) == tokens_of(small, job(seed=5))
    assert tokens_of(small, job(seed=5)) != tokens_of(small, job(seed=6))
    assert tokens_of(small, job(seed=-5)) == tokens_of(small, job(seed=-5))


def test_without_a_seed_samples_differ(small: BaseModel) -> None:
    assert tokens_of(small, job(seed=None)) != tokens_of(small, job(seed=None))


def test_sample_does_not_depend_on_num_samples(small: BaseModel) -> None:
    [four] = tokens_of(small, job(num_samples=4))
    [two] = tokens_of(small, job(num_samples=2))
    assert four[:2] == two
    assert len({tuple(tokens) for tokens in four}) == 4


def test_sample_does_not_depend_on_other_jobs(
    small: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts and limits of various lengths: in one batch, in small groups and separately."""
    rng = np.random.default_rng(4)
    jobs = [
        job(
            rng.integers(0, 256, 1 + 3 * n),
            max_tokens=1 + (5 * n) % 9,
            seed=n,
            temperature=n % 3,
            top_k=(-1, 5)[n % 2],
            num_samples=1 + n % 2,
        )
        for n in range(8)
    ]
    alone = [tokens_of(small, single)[0] for single in jobs]
    assert tokens_of(small, *jobs) == alone
    monkeypatch.setattr("tinker_ext.embedded.engine.generate.POSITIONS_PER_GROUP", 40)
    assert tokens_of(small, *jobs) == alone


def test_max_tokens_limits_length_and_defaults_to_the_context(small: BaseModel) -> None:
    [[limited], [full]] = generate(small, None, [job(), job(max_tokens=None)])
    assert (len(limited.tokens), limited.stop_reason) == (8, "length")
    assert (len(full.tokens), full.stop_reason) == (small.max_context - 3, "length")
    assert len(full.logprobs) == len(full.tokens)


def test_stop_token_ends_the_sequence_and_is_included(small: BaseModel) -> None:
    [[free]] = tokens_of(small, job())
    third = free[2]
    assert third not in free[:2]
    [[stopped]] = generate(small, None, [job(stop=[999, third])])
    assert (stopped.tokens, stopped.stop_reason) == (free[:3], "stop")
    assert len(stopped.logprobs) == 3


def test_stop_string_ends_the_sequence_with_its_last_byte(tiny: BaseModel) -> None:
    prompt = encode("copy: the old river -> ")
    [[free]] = generate(tiny, None, [job(prompt, max_tokens=30, temperature=0.0)])
    text = bytes(token for token in free.tokens if token < 256).decode()
    stop_string = text[4:7]
    [[stopped]] = generate(
        tiny, None, [job(prompt, max_tokens=30, temperature=0.0, stop=["never", stop_string])]
    )
    end = text.index(stop_string) + len(stop_string)
    assert bytes(stopped.tokens).decode() == text[:end]
    assert stopped.stop_reason == "stop"


def test_end_of_text_stops_unless_stop_is_empty() -> None:
    assert stop_sequences(None) == [[END_OF_TEXT]]
    assert stop_sequences([]) == []
    assert stop_sequences([5]) == [[5], [END_OF_TEXT]]
    assert stop_sequences(["ab", "é"]) == [[97, 98], [195, 169], [END_OF_TEXT]]


def test_finished_row_does_not_affect_other_rows(small: BaseModel) -> None:
    long_prompt = job(np.arange(20), max_tokens=1)
    [alone] = tokens_of(small, job(max_tokens=29))
    assert tokens_of(small, long_prompt, job(max_tokens=29), long_prompt)[1] == alone


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"prompt": []}, "jobs[1].prompt"),
        ({"prompt": [258]}, "jobs[1].prompt"),
        ({"prompt": [1.5]}, "jobs[1].prompt"),
        ({"num_samples": 0}, "jobs[1].num_samples"),
        ({"num_samples": 1025}, "jobs[1].num_samples"),
        ({"max_tokens": 0}, "jobs[1].sampling_params.max_tokens"),
        ({"max_tokens": 30}, "jobs[1].sampling_params.max_tokens"),
        ({"prompt": [1] * 32, "max_tokens": None}, "jobs[1].sampling_params.max_tokens"),
        ({"temperature": -1.0}, "jobs[1].sampling_params.temperature"),
        ({"temperature": float("nan")}, "jobs[1].sampling_params.temperature"),
        ({"top_k": 0}, "jobs[1].sampling_params.top_k"),
        ({"top_k": -2}, "jobs[1].sampling_params.top_k"),
        ({"top_p": 0.0}, "jobs[1].sampling_params.top_p"),
        ({"top_p": 1.1}, "jobs[1].sampling_params.top_p"),
        ({"stop": ["a", ""]}, "jobs[1].sampling_params.stop"),
    ],
)
def test_invalid_setting_is_named(small: BaseModel, settings: dict[str, Any], where: str) -> None:
    with pytest.raises(EngineInputError) as error:
        generate(small, None, [job(), job(**settings)])
    assert error.value.where == where


def test_exceeded_context_error_contains_the_numbers(small: BaseModel) -> None:
    with pytest.raises(
        EngineInputError, match=r"3 prompt tokens and 30 new ones exceed the context of .*, 32"
    ):
        generate(small, None, [job(max_tokens=30)])


def test_no_jobs_give_no_samples(small: BaseModel) -> None:
    assert generate(small, None, []) == []


def test_topk_returns_the_likeliest_tokens_per_position(small: BaseModel) -> None:
    jobs = [
        job([1, 2, 3], topk=3, num_samples=2, temperature=0.8),
        job([4], topk=0),
        job([1], topk=5, temperature=0.0, max_tokens=2),
        job([1, 2], topk=4, top_k=2),
    ]
    warm, plain, cold, cut = generate(small, None, jobs)
    assert [item.topk for item in plain] == [None]
    for sample in warm:
        assert sample.topk is not None
        assert [len(row) for row in sample.topk] == [3] * len(sample.tokens)
        for token, logprob, row in zip(sample.tokens, sample.logprobs, sample.topk, strict=True):
            assert row == sorted(row, key=lambda pair: -pair[1])
            assert dict(row).get(token, logprob) == logprob
    (greedy,) = cold
    assert greedy.topk is not None
    assert [row[0][0] for row in greedy.topk] == greedy.tokens
    (narrow,) = cut
    assert narrow.topk is not None
    assert {len(row) for row in narrow.topk} == {2}
    alone = generate(small, None, jobs[:1])[0]
    assert [item.tokens for item in alone] == [item.tokens for item in warm]


def test_topk_above_vocabulary_is_rejected(small: BaseModel) -> None:
    with pytest.raises(EngineInputError, match="topk_sample_logprobs"):
        generate(small, None, [job([1], topk=259)])


class CancelledAfter:
    """Contains a job after this number of checks."""

    def __init__(self, job: SampleJob, checks: int) -> None:
        self.job, self.remaining = job, checks

    def __contains__(self, item: object) -> bool:
        self.remaining -= item is self.job
        return item is self.job and self.remaining < 0


@pytest.mark.parametrize("times", [0, 1, 4])
def test_cancelled_job_ends_without_effect_on_others(small: BaseModel, times: int) -> None:
    cancelled, other = job(seed=1), job([7, 8], seed=2, num_samples=2)
    jobs = [cancelled, other]
    [[partial], others] = generate(small, None, jobs, CancelledAfter(cancelled, times))
    assert len(partial.tokens) == times
    [[complete], expected] = generate(small, None, jobs)
    assert complete.tokens[:times] == partial.tokens
    assert [sample.tokens for sample in others] == [sample.tokens for sample in expected]
