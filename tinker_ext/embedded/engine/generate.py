"""Sampling: many prompts at once, one forward pass per new token for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import define, field

from tinker_ext.embedded.engine.cache import KeyValueCache, recording_attention
from tinker_ext.embedded.engine.jobs import Sampled, check_job
from tinker_ext.embedded.engine.merged import MergedCache
from tinker_ext.embedded.engine.sampling import Filters, best, distribution, draw_from
from tinker_ext.embedded.engine.text import END_OF_TEXT, encode
from tinker_ext.embedded.engine.transformer import hidden_states, plain_projection

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from tinker_ext.embedded.engine.jobs import SampleJob, TokenLogprobs
    from tinker_ext.embedded.engine.model import BaseModel

    Array = npt.NDArray[np.floating[Any]]
    Integers = npt.NDArray[np.int64]

MERGED = MergedCache()
"""The process's merged adapters, shared by sampling and scoring."""

POSITIONS_PER_GROUP = 65_536
"""Cached positions computed side by side: 256 MB of keys and values for embedded/tiny."""

_SHRINK_BELOW = 0.75
"""Finished rows are carried along until this share is left: shrinking copies the cache."""


def generate(
    base: BaseModel,
    adapter: Mapping[str, Array] | None,
    jobs: Sequence[SampleJob],
    given_up: Container[SampleJob] = (),
) -> list[list[Sampled]]:
    """For each job its samples, all jobs computed together.

    Jobs that come into `given_up` meanwhile, from any thread, end with the next token. Every job
    is checked before anything is computed: EngineInputError names the first that is wrong as
    ``jobs[i]``; use `check_job` before batching to blame one request alone.
    """
    rows: list[_Row] = []
    for index, job in enumerate(jobs):
        check_job(base, job, where=f"jobs[{index}]")
        rows += [_start(base, job, index, sample) for sample in range(job.num_samples)]
    weights = MERGED.get(base, adapter)

    def drop_given_up(rows: list[_Row]) -> None:
        for row in rows:
            row.stopped = row.stopped or jobs[row.job] in given_up

    for group in _groups(rows):
        _run(base, weights, group, drop_given_up)
    results: list[list[Sampled]] = [[] for _ in jobs]
    for row in rows:
        results[row.job].append(row.result())
    return results


@define(eq=False)
class _Row:
    """One sequence being sampled.

    `uniforms` holds one draw per token it may still get, `wanted` is how many of the likeliest
    tokens are told at each position.
    """

    job: int
    prompt: Integers
    limit: int
    stops: list[list[int]]
    filters: tuple[float, int, float]
    uniforms: npt.NDArray[np.float64]
    wanted: int = 0
    tokens: list[int] = field(factory=list)
    logprobs: list[float] = field(factory=list)
    topk: list[TokenLogprobs] = field(factory=list)
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
        topk = self.topk if self.wanted else None
        return Sampled(self.tokens, self.logprobs, "stop" if self.stopped else "length", topk)


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
        wanted=job.topk,
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


def _run(
    base: BaseModel,
    weights: Mapping[str, Array],
    rows: list[_Row],
    between: Callable[[list[_Row]], None],
) -> None:
    """Sample all rows of one group to their end; `between` two tokens it may stop some."""
    between(rows)
    rows = [row for row in rows if row.active]
    if not rows:
        return
    logits, cache = _prefill(base, weights, rows)
    filters = _stacked([row.filters for row in rows])
    while rows:
        step = np.array([row.uniforms[len(row.tokens)] if row.active else 0.0 for row in rows])
        drawn_from = distribution(logits, filters)
        tokens, logprobs = draw_from(drawn_from, filters, step)
        for place, (row, token, logprob) in enumerate(
            zip(rows, tokens.tolist(), logprobs.tolist(), strict=True)
        ):
            if row.active:
                row.append(token, logprob)
                if row.wanted:
                    row.topk += best(drawn_from[place : place + 1], row.wanted)
        between(rows)
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
