"""One sampling request: its decoding to a job of the engine, and the encoding of its response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import frozen

from tinker_ext.embedded.errors import UserFailureError
from tinker_ext.embedded.execution.arrays import (
    decode_csr_indices,
    decode_prompt,
    decode_tensor,
    to_tensor_data,
)
from tinker_ext.embedded.execution.provenance import RecordedSequence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from tinker_ext.embedded.engine.jobs import Sampled, SampleJob
    from tinker_ext.embedded.engine.model import BaseModel
    from tinker_ext.embedded.engine.scoring import PromptTable
    from tinker_ext.embedded.execution.sparse import CsrIndices

T = TypeVar("T")

# Samples of one request, each with its own cache.
MAX_SAMPLES = 1024

TARGETS = "target_prompt_logprobs"
# A target that requests nothing (0.38.0).
NO_TARGET = -1


@frozen
class Weights:
    """What to sample from: a base model, with the adapter in `folder` unless that is None.

    `version` distinguishes adapters that were in the same folder at different times.
    """

    base_model: str
    folder: Path | None = None
    version: float = 0.0


@frozen(eq=False)
class PromptOptions:
    """What the response contains about the prompt.

    The logprobs of `targets` have the layout of the request: `csr` holds the indices of a sparse
    tensor, None for a dense one. `topk` and `alternatives` are 0 for none; `last_n` limits the
    logprobs to the last tokens of the prompt, None for all. Alternatives are drawn at
    `temperature`; `seed` makes them repeatable.
    """

    logprobs: bool
    topk: int
    last_n: int | None
    targets: npt.NDArray[np.int64] | None
    csr: CsrIndices | None
    alternatives: int
    temperature: float
    seed: int | None

    @classmethod
    def of(cls, body: Mapping[str, Any], job: SampleJob) -> PromptOptions:
        """Read the options of a validated request.

        Raises:
            UserFailureError: a value is invalid; the message names the field.
        """
        targets = body.get(TARGETS)
        return cls(
            logprobs=bool(body.get("prompt_logprobs")),
            topk=int(body.get("topk_prompt_logprobs", 0)),
            last_n=_last_n(body),
            targets=_targets(targets),
            csr=targets and decode_csr_indices(targets, where=TARGETS),
            alternatives=int(body.get("prompt_alt_tokens_k", 0)),
            temperature=job.temperature,
            seed=job.seed,
        )

    def response_fields(self, table: PromptTable) -> dict[str, Any]:
        """The fields of the response that describe the prompt."""
        fields: dict[str, Any] = {}
        scores = table.scores(self.topk)
        if self.logprobs:
            fields["prompt_logprobs"] = _last(scores.logprobs, self.last_n)
        if scores.topk is not None:
            fields["topk_prompt_logprobs"] = _last(scores.topk, self.last_n)
        if self.targets is not None:
            fields[TARGETS] = to_tensor_data(table.of_targets(self.targets), self.csr)
        if self.alternatives:
            tokens, logprobs = table.alternatives(self.alternatives, self.temperature, self.seed)
            fields["prompt_alt_tokens"] = {
                "tokens": to_tensor_data(tokens),
                "logprobs": to_tensor_data(logprobs),
            }
        return fields

    def __bool__(self) -> bool:
        return bool(self.logprobs or self.topk or self.alternatives or self.targets is not None)


@frozen(eq=False)
class SampleRequest:
    """One sampling request, ready to run.

    `job` is None if the prompt is only scored, because it fills the context. `positions` is the
    cost of the request: the prompt and new tokens of all its samples. Its sequences are recorded
    for the session `recorded_for`, unless that is None.
    """

    request_id: str
    weights: Weights
    prompt: npt.NDArray[np.integer[Any]]
    job: SampleJob | None
    num_samples: int
    prompt_options: PromptOptions
    positions: int
    recorded_for: str | None = None


def decode_request(
    request_id: str, weights: Weights, body: Mapping[str, Any], session_id: str | None = None
) -> SampleRequest:
    """Decode a request, with all checks that would otherwise make its whole batch fail.

    `session_id` is the session that it belongs to, if any.

    Raises:
        UserFailureError, EngineInputError: a value is invalid; the message names the field.
    """
    from tinker_ext.embedded.engine.jobs import check_job
    from tinker_ext.embedded.engine.model import load_base_model

    base = load_base_model(weights.base_model)
    job = _job(body)
    options = PromptOptions.of(body, job)
    record = bool(body.get("record_stability_info"))
    if record and session_id is None:
        raise UserFailureError(
            "record_stability_info: only samples of a sampling session can be recorded; "
            "send sampling_session_id"
        )
    only_scored = options.logprobs and job.max_tokens == 1 and len(job.prompt) == base.max_context
    if not only_scored:
        check_job(base, job)
    max_tokens = base.max_context if job.max_tokens is None else job.max_tokens
    return SampleRequest(
        request_id=request_id,
        weights=weights,
        prompt=job.prompt,
        job=None if only_scored else job,
        num_samples=job.num_samples,
        prompt_options=options,
        positions=job.num_samples * (len(job.prompt) + max_tokens),
        recorded_for=session_id if record else None,
    )


def sequence_ids(request_id: str, count: int) -> list[str]:
    """The ids of a request's sequences, which the response to its submission contains."""
    return [f"{request_id}:{number}" for number in range(count)]


def recorded_sequences(
    request: SampleRequest, samples: Sequence[Sampled]
) -> Iterator[tuple[str, RecordedSequence]]:
    """The ids and records of the request's samples, unless they are not to be recorded."""
    import numpy as np

    if request.recorded_for is None:
        return
    ids = sequence_ids(request.request_id, len(samples))
    for sequence_id, sample in zip(ids, samples, strict=True):
        yield (
            sequence_id,
            RecordedSequence(
                session_id=request.recorded_for,
                prompt=request.prompt.astype(np.int64),
                tokens=np.array(sample.tokens, np.int64),
                logprobs=np.array(sample.logprobs, np.float32),
            ),
        )


def _job(body: Mapping[str, Any]) -> SampleJob:
    """The request as the engine's class; the defaults are those of release 0.4.1."""
    from tinker_ext.embedded.engine.jobs import SampleJob

    params = body["sampling_params"]
    num_samples = int(body.get("num_samples", 1))
    if num_samples > MAX_SAMPLES:
        raise UserFailureError(f"num_samples: must be at most {MAX_SAMPLES}")
    return SampleJob(
        decode_prompt(body["prompt"], where="prompt"),
        num_samples=num_samples,
        max_tokens=_optional_int(params.get("max_tokens")),
        temperature=float(params.get("temperature", 1.0)),
        top_k=int(params.get("top_k", -1)),
        top_p=float(params.get("top_p", 1.0)),
        stop=_stop(params.get("stop")),
        seed=_optional_int(params.get("seed")),
        topk=int(body.get("topk_sample_logprobs", 0)),
    )


def sample_response(
    request: SampleRequest,
    samples: Sequence[Sampled],
    base: BaseModel,
    adapter: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The SampleResponse; scores the prompt if the request asks for it."""
    empty = {"tokens": [], "logprobs": [], "stop_reason": "length"}
    sequences = [_sequence(sample) for sample in samples]
    response: dict[str, Any] = {
        "type": "sample",
        "sequences": sequences if request.job is not None else [empty] * request.num_samples,
    }
    if request.prompt_options:
        from tinker_ext.embedded.engine.scoring import PromptTable

        table = PromptTable.of(base, adapter, request.prompt)
        response |= request.prompt_options.response_fields(table)
    return response


def _sequence(sample: Sampled) -> dict[str, Any]:
    topk = {} if sample.topk is None else {"topk_logprobs": sample.topk}
    return {
        "tokens": sample.tokens,
        "logprobs": sample.logprobs,
        "stop_reason": sample.stop_reason,
        **topk,
    }


def _targets(tensor: Mapping[str, Any] | None) -> npt.NDArray[np.int64] | None:
    if tensor is None:
        return None
    if tensor["dtype"] != "int64":
        raise UserFailureError(f"{TARGETS}: token ids must be int64, not {tensor['dtype']}")
    return cast("npt.NDArray[np.int64]", decode_tensor(tensor, where=TARGETS, fill=NO_TARGET))


def _last_n(body: Mapping[str, Any]) -> int | None:
    last_n = _optional_int(body.get("prompt_logprobs_last_n"))
    if last_n is not None and last_n < 1:
        raise UserFailureError("prompt_logprobs_last_n: must be at least 1")
    return last_n


def _last(entries: Sequence[T | None], last_n: int | None) -> list[T | None]:
    """The entries, with None for all but the last ones."""
    omitted = 0 if last_n is None else max(len(entries) - last_n, 0)
    return [None] * omitted + list(entries[omitted:])


def _optional_int(value: float | None) -> int | None:
    """A JSON integer, which may be written as 1.0."""
    return None if value is None else int(value)


def _stop(stop: Any) -> list[str] | list[int] | None:
    """Stop strings or token ids; None for the end-of-text token only."""
    if stop is None:
        return None
    if isinstance(stop, str):
        return [stop]
    if all(isinstance(item, str) for item in stop):
        return list(stop)
    return [int(item) for item in stop]
