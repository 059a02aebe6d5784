"""One sampling request: from its body to a job of the engine, and back to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import frozen

from tinker_ext.embedded.execution import arrays
from tinker_ext.embedded.execution.answers import UserFailureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from tinker_ext.embedded.engine.jobs import Sampled, SampleJob
    from tinker_ext.embedded.engine.model import BaseModel
    from tinker_ext.embedded.engine.scoring import PromptTable
    from tinker_ext.embedded.execution.sparse import Rows

T = TypeVar("T")

# Samples of one request, each with a cache of its own.
MAX_SAMPLES = 1024

TARGETS = "target_prompt_logprobs"
# In place of a token's id there: asks for nothing (0.38.0).
NOTHING = -1


@frozen
class Weights:
    """What to sample from: a base model, with the adapter in `place` unless that is None.

    `version` tells apart adapters that had the same place one after the other.
    """

    base_model: str
    place: Path | None = None
    version: float = 0.0


@frozen(eq=False)
class PromptWish:
    """What is to be told of the prompt.

    The logprobs of `targets` are told in the layout that was asked in: `rows` are the compressed
    ones of their matrix, None for the whole of it.

    `topk` and `alternatives` are 0 for none; `last_n` is how many of the prompt's logprobs are
    told, None for all. Alternatives are drawn at `temperature`, repeatably with a `seed`.
    """

    logprobs: bool
    topk: int
    last_n: int | None
    targets: npt.NDArray[np.int64] | None
    rows: Rows | None
    alternatives: int
    temperature: float
    seed: int | None

    @classmethod
    def of(cls, body: Mapping[str, Any], job: SampleJob) -> PromptWish:
        """Of a request that fits the specification.

        Raises:
            UserFailureError: naming the field.
        """
        targets = body.get(TARGETS)
        return cls(
            logprobs=bool(body.get("prompt_logprobs")),
            topk=int(body.get("topk_prompt_logprobs", 0)),
            last_n=_last_n(body),
            targets=_targets(targets),
            rows=targets and arrays.compressed_rows(targets, where=TARGETS),
            alternatives=int(body.get("prompt_alt_tokens_k", 0)),
            temperature=job.temperature,
            seed=job.seed,
        )

    def told(self, table: PromptTable) -> dict[str, Any]:
        """The part of the answer about the prompt."""
        answer: dict[str, Any] = {}
        scores = table.scores(self.topk)
        if self.logprobs:
            answer["prompt_logprobs"] = _last(scores.logprobs, self.last_n)
        if scores.topk is not None:
            answer["topk_prompt_logprobs"] = _last(scores.topk, self.last_n)
        if self.targets is not None:
            found = table.of_targets(self.targets)
            answer[TARGETS] = arrays.tensor_data(found, self.rows)
        if self.alternatives:
            tokens, logprobs = table.alternatives(self.alternatives, self.temperature, self.seed)
            answer["prompt_alt_tokens"] = {
                "tokens": arrays.tensor_data(tokens),
                "logprobs": arrays.tensor_data(logprobs),
            }
        return answer

    def __bool__(self) -> bool:
        return bool(self.logprobs or self.topk or self.alternatives or self.targets is not None)


@frozen(eq=False)
class SampleWork:
    """One sampling request, ready to run.

    `job` is None when the prompt is only to be scored, because it fills the context. `positions`
    is what the request costs: prompt and new tokens of all its samples.
    """

    request_id: str
    weights: Weights
    prompt: npt.NDArray[np.integer[Any]]
    job: SampleJob | None
    num_samples: int
    wish: PromptWish
    positions: int


def prepared(request_id: str, weights: Weights, body: Mapping[str, Any]) -> SampleWork:
    """Check everything about a request that could fail later for the others in its batch.

    Raises:
        UserFailureError, EngineInputError: naming the field.
    """
    from tinker_ext.embedded.engine.jobs import check_job
    from tinker_ext.embedded.engine.model import load_base_model

    base = load_base_model(weights.base_model)
    job = _job(body)
    wish = PromptWish.of(body, job)
    only_scored = wish.logprobs and job.max_tokens == 1 and len(job.prompt) == base.max_context
    if not only_scored:
        check_job(base, job)
    new = base.max_context if job.max_tokens is None else job.max_tokens
    return SampleWork(
        request_id=request_id,
        weights=weights,
        prompt=job.prompt,
        job=None if only_scored else job,
        num_samples=job.num_samples,
        wish=wish,
        positions=job.num_samples * (len(job.prompt) + new),
    )


def _job(body: Mapping[str, Any]) -> SampleJob:
    """The engine's words for a request; what is left out has the defaults of release 0.4.1."""
    from tinker_ext.embedded.engine.jobs import SampleJob

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
        topk=int(body.get("topk_sample_logprobs", 0)),
    )


def answered(
    work: SampleWork,
    sampled: Sequence[Sampled],
    base: BaseModel,
    adapter: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The SampleResponse, with the prompt scored where that was asked for."""
    empty = {"tokens": [], "logprobs": [], "stop_reason": "length"}
    sequences = [_sequence(one) for one in sampled]
    answer: dict[str, Any] = {
        "type": "sample",
        "sequences": sequences if work.job is not None else [empty] * work.num_samples,
    }
    if work.wish:
        from tinker_ext.embedded.engine.scoring import PromptTable

        answer |= work.wish.told(PromptTable.of(base, adapter, work.prompt))
    return answer


def _sequence(one: Sampled) -> dict[str, Any]:
    topk = {} if one.topk is None else {"topk_logprobs": one.topk}
    return {
        "tokens": one.tokens,
        "logprobs": one.logprobs,
        "stop_reason": one.stop_reason,
        **topk,
    }


def _targets(given: Mapping[str, Any] | None) -> npt.NDArray[np.int64] | None:
    if given is None:
        return None
    if given["dtype"] != "int64":
        raise UserFailureError(f"{TARGETS}: token ids are int64, not {given['dtype']}")
    return cast("npt.NDArray[np.int64]", arrays.tensor(given, where=TARGETS, fill=NOTHING))


def _last_n(body: Mapping[str, Any]) -> int | None:
    last_n = _whole(body.get("prompt_logprobs_last_n"))
    if last_n is not None and last_n < 1:
        raise UserFailureError("prompt_logprobs_last_n: must be at least 1")
    return last_n


def _last(entries: Sequence[T | None], last_n: int | None) -> list[T | None]:
    """The same, with nothing said of what comes before the last ones."""
    unsaid = 0 if last_n is None else max(len(entries) - last_n, 0)
    return [None] * unsaid + list(entries[unsaid:])


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
