"""Batched sampling: one forward pass per new token for all prompts."""

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
"""Merged adapters of this process, shared by sampling and scoring."""

POSITIONS_PER_GROUP = 65_536
"""Cached positions per group: 256 MB of keys and values for embedded/tiny."""

_SHRINK_BELOW = 0.75
"""Share of active rows below which finished rows are removed, which copies the cache."""


def generate(
    base: BaseModel,
    adapter: Mapping[str, Array] | None,
    jobs: Sequence[SampleJob],
    cancelled: Container[SampleJob] = (),
) -> list[list[Sampled]]:
    """Compute all jobs in one batch and return the samples of each.

    A job that is added to `cancelled`, from any thread, ends with the next token. All jobs are
    checked first; call `check_job` before batching to reject one request only.

    Raises:
        EngineInputError: a job is invalid; the message names the first one as ``jobs[i]``.
    """
    rows: list[_Row] = []
    for index, job in enumerate(jobs):
        check_job(base, job, where=f"jobs[{index}]")
        rows += [_start(base, job, index, sample) for sample in range(job.num_samples)]
    weights = MERGED.get(base, adapter)

    def stop_cancelled(rows: list[_Row]) -> None:
        for row in rows:
            row.stopped = row.stopped or jobs[row.job] in cancelled

    for group in _groups(rows):
        _run(base, weights, group, stop_cancelled)
    results: list[list[Sampled]] = [[] for _ in jobs]
    for row in rows:
        results[row.job].append(row.result())
    return results


@define(eq=False)
class _Row:
    """One sequence being sampled.

    `uniforms` holds one random number per new token; `topk_size` is the number of likeliest tokens
    returned per position.
    """

    job: int
    prompt: Integers
    limit: int
    stops: list[list[int]]
    filters: tuple[float, int, float]
    uniforms: npt.NDArray[np.float64]
    topk_size: int = 0
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
        topk = self.topk if self.topk_size else None
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
        topk_size=job.topk,
    )


def stop_sequences(stop: Sequence[str] | Sequence[int] | None) -> list[list[int]]:
    """Stop strings and tokens as token sequences; the tokenizer has one encoding per string."""
    if stop is not None and not stop:
        return []
    texts_or_ids = [encode(s).tolist() if isinstance(s, str) else [int(s)] for s in stop or ()]
    return [*texts_or_ids, [END_OF_TEXT]]


def _groups(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """Group rows of similar size, each group within `POSITIONS_PER_GROUP`."""
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
    before_step: Callable[[list[_Row]], None],
) -> None:
    """Sample all rows of one group; `before_step` is called before each token and may stop rows."""
    before_step(rows)
    rows = [row for row in rows if row.active]
    if not rows:
        return
    logits, cache = _prefill(base, weights, rows)
    filters = _stacked([row.filters for row in rows])
    while rows:
        step = np.array([row.uniforms[len(row.tokens)] if row.active else 0.0 for row in rows])
        drawn_from = distribution(logits, filters)
        tokens, logprobs = draw_from(drawn_from, filters, step)
        for index, (row, token, logprob) in enumerate(
            zip(rows, tokens.tolist(), logprobs.tolist(), strict=True)
        ):
            if row.active:
                row.append(token, logprob)
                if row.topk_size:
                    row.topk += best(drawn_from[index : index + 1], row.topk_size)
        before_step(rows)
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
    """Logits (rows, vocabulary) after each row's prompt, and the cache.

    A prompt shared by several rows is computed once.
    """
    indices: dict[bytes, int] = {}
    sources = np.array([indices.setdefault(row.prompt.tobytes(), len(indices)) for row in rows])
    prompts = [np.frombuffer(key, np.int64) for key in indices]
    lengths = np.array([len(prompt) for prompt in prompts])
    tokens = np.zeros((len(prompts), lengths.max()), np.int64)
    for index, prompt in enumerate(prompts):
        tokens[index, : len(prompt)] = prompt

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
