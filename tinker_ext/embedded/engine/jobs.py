"""What is sampled, what comes of it, and what can't be."""

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
"""Some tokens of one position, each with its log-probability."""

MAX_SAMPLES = 1024
"""Most samples of one job, so that one request can't occupy the machine for long."""


@frozen(eq=False)
class SampleJob:
    """One sampling request.

    `max_tokens` None means as many as the context still holds. `stop` is a list of texts, or of
    token ids; a sequence ends with the token that completes the first of them, which it keeps.
    ``<|end|>`` ends it too, unless `stop` is an empty list. `seed` makes the tokens repeatable:
    sample i of a seed is the same whatever `num_samples` is and whatever runs beside it, up to
    the last bit of float32. See `sampling` for temperature, top_k and top_p. `topk` asks for so
    many of the likeliest tokens at each position.
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
    """One sequence: new tokens only, each one's log-probability, and why it ended.

    `topk` holds per token the likeliest (token id, log-probability) pairs of what it was drawn
    from, likeliest first, or is None when not asked for.
    """

    tokens: list[int]
    logprobs: list[float]
    stop_reason: Literal["length", "stop"]
    topk: list[TokenLogprobs] | None = None


def check_job(base: BaseModel, job: SampleJob, *, where: str = "") -> None:
    """EngineInputError for anything about a job that can't be computed."""
    inside = f"{where}." if where else ""
    check_tokens(base, np.asarray(job.prompt), f"{inside}prompt")
    wanted, room = job.max_tokens, base.max_context - len(job.prompt)
    parameters = f"{inside}sampling_params"
    _require(
        1 <= job.num_samples <= MAX_SAMPLES,
        f"{inside}num_samples",
        f"must be from 1 to {MAX_SAMPLES}",
    )
    _require(wanted is None or wanted >= 1, f"{parameters}.max_tokens", "must be at least 1")
    _require(
        (wanted or 1) <= room,
        f"{parameters}.max_tokens",
        f"{len(job.prompt)} prompt tokens and {wanted or 1} new ones are more than "
        f"{base.name}'s context of {base.max_context}",
    )
    _require(
        math.isfinite(job.temperature) and job.temperature >= 0,
        f"{parameters}.temperature",
        "must be a finite number, at least 0",
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
    _require("" not in (job.stop or ()), f"{parameters}.stop", "an empty text would stop at once")


def _require(holds: bool, where: str, message: str) -> None:
    if not holds:
        raise EngineInputError(message, where=where)
