"""Sampling jobs, their validation and their results."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from attrs import frozen

from tinker_ext.embedded.engine.batching import check_tokens
from tinker_ext.embedded.engine.errors import EngineInputError
from tinker_ext.embedded.engine.sampling import NO_TOP_K

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from tinker_ext.embedded.engine.model import BaseModel

TokenLogprobs: TypeAlias = list[tuple[int, float]]
"""Tokens of one position with their log-probabilities."""

MAX_SAMPLES = 1024
"""Maximum number of samples per job, which limits its duration."""


@frozen(eq=False)
class SampleJob:
    """One sampling request.

    `max_tokens` None means up to the size of the context. `stop` is a list of strings or of token
    ids; a sequence ends with, and includes, the token that completes one of them. ``<|end|>`` ends
    it too, unless `stop` is an empty list. `seed` makes the tokens repeatable: sample i of a seed
    does not depend on `num_samples` or on other jobs, up to the last bit of float32. See `sampling`
    for temperature, top_k and top_p. `topk` is the number of likeliest tokens returned per
    position.
    """

    prompt: npt.NDArray[np.integer[Any]]
    num_samples: int = 1
    max_tokens: int | None = None
    temperature: float = 1.0
    top_k: int = NO_TOP_K
    top_p: float = 1.0
    stop: Sequence[str] | Sequence[int] | None = None
    seed: int | None = None
    topk: int = 0


@frozen
class Sampled:
    """One sequence: the new tokens, their log-probabilities and the stop reason.

    `topk` holds, per token, the likeliest (token id, log-probability) pairs of the distribution it
    was drawn from, likeliest first. It is None if the job didn't request it.
    """

    tokens: list[int]
    logprobs: list[float]
    stop_reason: Literal["length", "stop"]
    topk: list[TokenLogprobs] | None = None


def check_job(base: BaseModel, job: SampleJob, *, where: str = "") -> None:
    """Check a job.

    Raises:
        EngineInputError: a value is invalid; the message names the field.
    """
    inside = f"{where}." if where else ""
    check_tokens(base, np.asarray(job.prompt), f"{inside}prompt")
    new_tokens, available = job.max_tokens, base.max_context - len(job.prompt)
    parameters = f"{inside}sampling_params"
    _require(
        1 <= job.num_samples <= MAX_SAMPLES,
        f"{inside}num_samples",
        f"must be from 1 to {MAX_SAMPLES}",
    )
    _require(
        new_tokens is None or new_tokens >= 1, f"{parameters}.max_tokens", "must be at least 1"
    )
    _require(
        (new_tokens or 1) <= available,
        f"{parameters}.max_tokens",
        f"{len(job.prompt)} prompt tokens and {new_tokens or 1} new ones exceed "
        f"the context of {base.name}, {base.max_context}",
    )
    _require(
        math.isfinite(job.temperature) and job.temperature >= 0,
        f"{parameters}.temperature",
        "must be a finite number of at least 0",
    )
    _require(
        job.top_k == NO_TOP_K or job.top_k >= 1,
        f"{parameters}.top_k",
        f"must be at least 1, or {NO_TOP_K} for no limit",
    )
    _require(0 < job.top_p <= 1, f"{parameters}.top_p", "must be above 0 and at most 1")
    _require(
        0 <= job.topk <= base.vocabulary,
        f"{inside}topk_sample_logprobs",
        f"must be from 0 to {base.vocabulary}",
    )
    _require("" not in (job.stop or ()), f"{parameters}.stop", "an empty string would stop at once")


def _require(holds: bool, where: str, message: str) -> None:
    if not holds:
        raise EngineInputError(message, where=where)
