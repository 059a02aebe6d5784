"""One sampling request: from its body to a job of the engine, and back to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext.embedded.work import arrays
from tinker_ext.embedded.work.answers import UserFailureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from tinker_ext.embedded.engine.generate import Sampled, SampleJob
    from tinker_ext.embedded.engine.model import BaseModel

# Samples of one request, each with a cache of its own.
MAX_SAMPLES = 1024


@frozen
class Weights:
    """What to sample from: a base model, with the adapter in `place` unless that is None.

    `version` tells apart adapters that had the same place one after the other.
    """

    base_model: str
    place: Path | None = None
    version: float = 0.0


@frozen(eq=False)
class SampleWork:
    """One sampling request, ready to run.

    `job` is None when the prompt is only to be scored, because it fills the context. `topk` is 0
    without top-k prompt logprobs. `last_n` is how many of the prompt's logprobs are told, None for
    all. `positions` is what the request costs: prompt and new tokens of all its samples.
    """

    request_id: str
    weights: Weights
    prompt: npt.NDArray[np.integer[Any]]
    job: SampleJob | None
    num_samples: int
    prompt_logprobs: bool
    topk: int
    positions: int
    last_n: int | None = None


def prepared(request_id: str, weights: Weights, body: Mapping[str, Any]) -> SampleWork:
    """Check everything about a request that could fail later for the others in its batch.

    Raises:
        UserFailureError, EngineInputError: naming the field.
    """
    from tinker_ext.embedded.engine.generate import check_job
    from tinker_ext.embedded.engine.model import load_base_model

    base = load_base_model(weights.base_model)
    job = _job(body)
    prompt_logprobs = bool(body.get("prompt_logprobs"))
    only_scored = prompt_logprobs and job.max_tokens == 1 and len(job.prompt) == base.max_context
    if not only_scored:
        check_job(base, job)
    new = base.max_context if job.max_tokens is None else job.max_tokens
    return SampleWork(
        request_id=request_id,
        weights=weights,
        prompt=job.prompt,
        job=None if only_scored else job,
        num_samples=job.num_samples,
        prompt_logprobs=prompt_logprobs,
        topk=int(body.get("topk_prompt_logprobs", 0)),
        positions=job.num_samples * (len(job.prompt) + new),
        last_n=_last_n(body),
    )


def _job(body: Mapping[str, Any]) -> SampleJob:
    """The engine's words for a request; what is left out has the defaults of release 0.4.1."""
    from tinker_ext.embedded.engine.generate import SampleJob

    given = body["sampling_params"]
    num_samples = int(body.get("num_samples", 1))
    if num_samples > MAX_SAMPLES:
        raise UserFailureError(f"num_samples: at most {MAX_SAMPLES} of one prompt")
    return SampleJob(
        arrays.prompt(body["prompt"], where="prompt"),
        num_samples=num_samples,
        max_tokens=_whole(given.get("max_tokens")),
        temperature=float(given.get("temperature", 1.0)),
        top_k=int(given.get("top_k", -1)),
        top_p=float(given.get("top_p", 1.0)),
        stop=_stops(given.get("stop")),
        seed=_whole(given.get("seed")),
    )


def answered(
    work: SampleWork,
    sampled: Sequence[Sampled],
    base: BaseModel,
    adapter: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The SampleResponse, with the prompt scored where that was asked for."""
    empty = {"tokens": [], "logprobs": [], "stop_reason": "length"}
    sequences = [
        {"tokens": one.tokens, "logprobs": one.logprobs, "stop_reason": one.stop_reason}
        for one in sampled
    ]
    answer: dict[str, Any] = {
        "type": "sample",
        "sequences": sequences if work.job is not None else [empty] * work.num_samples,
    }
    if work.prompt_logprobs or work.topk:
        from tinker_ext.embedded.engine.scoring import prompt_logprobs

        scores = prompt_logprobs(base, adapter, work.prompt, work.topk)
        if work.prompt_logprobs:
            answer["prompt_logprobs"] = _last(scores.logprobs, work.last_n)
        if work.topk:
            answer["topk_prompt_logprobs"] = scores.topk
    return answer


def _last_n(body: Mapping[str, Any]) -> int | None:
    last_n = _whole(body.get("prompt_logprobs_last_n"))
    if last_n is not None and last_n < 1:
        raise UserFailureError("prompt_logprobs_last_n: must be at least 1")
    return last_n


def _last(logprobs: list[float | None], last_n: int | None) -> list[float | None]:
    """The same, with nothing said of what comes before the last ones."""
    unsaid = 0 if last_n is None else max(len(logprobs) - last_n, 0)
    return [None] * unsaid + logprobs[unsaid:]


def _whole(value: float | None) -> int | None:
    """A JSON integer, which may be written 1.0."""
    return None if value is None else int(value)


def _stops(stop: Any) -> list[str] | list[int] | None:
    """One text, several, or token ids; None for nothing beyond the end-of-text token."""
    if stop is None:
        return None
    if isinstance(stop, str):
        return [stop]
    if all(isinstance(one, str) for one in stop):
        return list(stop)
    return [int(one) for one in stop]
