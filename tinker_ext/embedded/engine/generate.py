"""Sampling: many prompts at once, one forward pass per new token for all of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from attrs import define, field, frozen

from tinker_ext.embedded.engine.batching import check_tokens
from tinker_ext.embedded.engine.cache import KeyValueCache, recording_attention
from tinker_ext.embedded.engine.errors import EngineInputError
from tinker_ext.embedded.engine.merged import MergedCache
from tinker_ext.embedded.engine.sampling import NO_TOP_K, Filters, draw
from tinker_ext.embedded.engine.text import END_OF_TEXT, encode
from tinker_ext.embedded.engine.transformer import hidden_states, plain_projection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from tinker_ext.embedded.engine.model import BaseModel

    Array = npt.NDArray[np.floating[Any]]
    Integers = npt.NDArray[np.int64]

MERGED = MergedCache()
"""The process's merged adapters, shared by sampling and scoring."""

POSITIONS_PER_GROUP = 65_536
"""Cached positions computed side by side: 256 MB of keys and values for embedded/tiny."""

MAX_SAMPLES = 1024
"""Most samples of one job, so that one request can't occupy the machine for long."""

_SHRINK_BELOW = 0.75
"""Finished rows are carried along until this share is left: shrinking copies the cache."""


@frozen(eq=False)
class SampleJob:
    """One sampling request.

    `max_tokens` None means as many as the context still holds. `stop` is a list of texts, or of
    token ids; a sequence ends with the token that completes the first of them, which it keeps.
    ``<|end|>`` ends it too, unless `stop` is an empty list. `seed` makes the tokens repeatable:
    sample i of a seed is the same whatever `num_samples` is and whatever runs beside it, up to
    the last bit of float32. See `sampling` for temperature, top_k and top_p.
    """

    prompt: npt.NDArray[np.integer[Any]]
    num_samples: int = 1
    max_tokens: int | None = None
    temperature: float = 1.0
    top_k: int = NO_TOP_K
    top_p: float = 1.0
    stop: Sequence[str] | Sequence[int] | None = None
    seed: int | None = None


@frozen
class Sampled:
    """One sequence: new tokens only, each one's log-probability, and why it ended."""

    tokens: list[int]
    logprobs: list[float]
    stop_reason: Literal["length", "stop"]


def generate(
    base: BaseModel, adapter: Mapping[str, Array] | None, jobs: Sequence[SampleJob]
) -> list[list[Sampled]]:
    """For each job its samples, all jobs computed together.

    Every job is checked before anything is computed: EngineInputError names the first that is
    wrong as ``jobs[i]``; use `check_job` before batching to blame one request alone.
    """
    rows: list[_Row] = []
    for index, job in enumerate(jobs):
        check_job(base, job, where=f"jobs[{index}]")
        rows += [_start(base, job, index, sample) for sample in range(job.num_samples)]
    weights = MERGED.get(base, adapter)
    for group in _groups(rows):
        _run(base, weights, group)
    results: list[list[Sampled]] = [[] for _ in jobs]
    for row in rows:
        results[row.job].append(row.result())
    return results


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
    _require("" not in (job.stop or ()), f"{parameters}.stop", "an empty text would stop at once")


def _require(holds: bool, where: str, message: str) -> None:
    if not holds:
        raise EngineInputError(message, where=where)


@define(eq=False)
class _Row:
    """One sequence being sampled. `uniforms` holds one draw per token it may still get."""

    job: int
    prompt: Integers
    limit: int
    stops: list[list[int]]
    filters: tuple[float, int, float]
    uniforms: npt.NDArray[np.float64]
    tokens: list[int] = field(factory=list)
    logprobs: list[float] = field(factory=list)
    stopped: bool = False

    @property
    def capacity(self) -> int:
        return len(self.prompt) + self.limit

    @property
    def active(self) -> bool:
        return not self.stopped and len(self.tokens) < self.limit

    def append(self, token: int, logprob: float) -> None:
        self.tokens.append(token)
        self.logprobs.append(logprob)
        self.stopped = any(self.tokens[-len(stop) :] == stop for stop in self.stops)

    def result(self) -> Sampled:
        return Sampled(self.tokens, self.logprobs, "stop" if self.stopped else "length")


def _start(base: BaseModel, job: SampleJob, index: int, sample: int) -> _Row:
    limit = job.max_tokens or base.max_context - len(job.prompt)
    entropy = None if job.seed is None else [job.seed % 2**64, sample]
    return _Row(
        job=index,
        prompt=np.asarray(job.prompt, np.int64),
        limit=limit,
        stops=stop_sequences(job.stop),
        filters=(job.temperature, job.top_k, job.top_p),
        uniforms=np.random.default_rng(entropy).random(limit),
    )


def stop_sequences(stop: Sequence[str] | Sequence[int] | None) -> list[list[int]]:
    """What ends a sequence, as token sequences: every text is exactly one, having no merges."""
    if stop is not None and not stop:
        return []
    texts_or_ids = [encode(s).tolist() if isinstance(s, str) else [int(s)] for s in stop or ()]
    return [*texts_or_ids, [END_OF_TEXT]]


def _groups(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """Rows of similar size, each group within `POSITIONS_PER_GROUP`."""
    group: list[_Row] = []
    for row in sorted(rows, key=lambda row: row.capacity):
        if group and (len(group) + 1) * row.capacity > POSITIONS_PER_GROUP:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _run(base: BaseModel, weights: Mapping[str, Array], rows: list[_Row]) -> None:
    """Sample all rows of one group to their end."""
    logits, cache = _prefill(base, weights, rows)
    filters = _stacked([row.filters for row in rows])
    while rows:
        step = np.array([row.uniforms[len(row.tokens)] if row.active else 0.0 for row in rows])
        tokens, logprobs = draw(logits, filters, step)
        for row, token, logprob in zip(rows, tokens.tolist(), logprobs.tolist(), strict=True):
            if row.active:
                row.append(token, logprob)
        active = np.array([row.active for row in rows])
        if active.sum() <= _SHRINK_BELOW * len(rows):
            rows = [row for row in rows if row.active]
            cache.keep(active)
            filters, tokens, active = filters.rows(active), tokens[active], active[active]
        if rows:
            logits = _next_logits(base, weights, cache, tokens, active)


def _prefill(
    base: BaseModel, weights: Mapping[str, Array], rows: Sequence[_Row]
) -> tuple[Array, KeyValueCache]:
    """Logits (rows, vocabulary) after each row's prompt, and its keys and values.

    A prompt that several rows share is computed once.
    """
    places: dict[bytes, int] = {}
    sources = np.array([places.setdefault(row.prompt.tobytes(), len(places)) for row in rows])
    prompts = [np.frombuffer(key, np.int64) for key in places]
    lengths = np.array([len(prompt) for prompt in prompts])
    tokens = np.zeros((len(prompts), lengths.max()), np.int64)
    for place, prompt in enumerate(prompts):
        tokens[place, : len(prompt)] = prompt

    project = plain_projection(weights)
    layers: list[tuple[Array, Array]] = []
    attend = recording_attention(tokens.shape[1], base.dtype, layers)
    positions = np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape)
    states = hidden_states(base.shape, weights, project, attend, tokens, positions)
    last = states.reshape(*tokens.shape, -1)[np.arange(len(prompts)), lengths - 1]
    capacity = max(row.capacity for row in rows)
    cache = KeyValueCache(layers, sources, lengths[sources], capacity)
    return project(last, "lm_head")[sources], cache


def _next_logits(
    base: BaseModel,
    weights: Mapping[str, Array],
    cache: KeyValueCache,
    tokens: Integers,
    active: npt.NDArray[np.bool_],
) -> Array:
    """Logits (rows, vocabulary) after one more token per row; only active rows grow."""
    project = plain_projection(weights)
    states = hidden_states(
        base.shape, weights, project, cache.attention(), tokens[:, None], cache.lengths[:, None]
    )
    cache.advance(active)
    return project(states, "lm_head")


def _stacked(filters: Sequence[tuple[float, int, float]]) -> Filters:
    temperature, top_k, top_p = zip(*filters, strict=True)
    return Filters(
        np.array(temperature, np.float64), np.array(top_k, np.int64), np.array(top_p, np.float64)
    )
