"""Recorded samples, and the training data that refers to them (loss stable_reinforce).

A sample that is requested with `record_stability_info` is recorded under its sequence id. The spans
of a datum name the recorded tokens at each of its positions; the loss then uses the recorded
log-probabilities.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from tinker_ext.embedded.errors import UserFailureError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

    from tinker_ext.embedded.engine.trainer import TrainingDatum
    from tinker_ext.embedded.execution.arrays import LossInput

STABLE_REINFORCE = "stable_reinforce"

# Seconds for which a sequence can be trained on, from its sampling or its last use (Tinker
# documentation, page "StableReinforce").
LIFETIME_SECONDS = 24 * 3600.0

# Recorded tokens in memory, prompts included: about 200 MB.
MAX_TOKENS = 16_000_000


@frozen(eq=False)
class RecordedSequence:
    """One sampled sequence; `logprobs` are those of its sampled `tokens`."""

    session_id: str
    prompt: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int64]
    logprobs: npt.NDArray[np.float32]

    @property
    def size(self) -> int:
        return len(self.prompt) + len(self.tokens)


@frozen
class Span:
    """Positions `offset` to ``offset + length`` of a sequence's prompt or sampled tokens."""

    sequence_id: str
    offset: int
    length: int
    sampled: bool


@frozen
class DatumSpans:
    """The provenance of one datum: the spans cover its input and its targets, in order."""

    model_input: tuple[Span, ...]
    targets: tuple[Span, ...]


class SequenceRecords:
    """The recorded sequences of this process; the least recently used are dropped first."""

    def __init__(self, max_tokens: int = MAX_TOKENS, clock: Callable[[], float] = time.monotonic):
        self._max_tokens = max_tokens
        self._clock = clock
        self._tokens = 0
        self._records: OrderedDict[str, tuple[float, RecordedSequence]] = OrderedDict()

    def add(self, sequence_id: str, record: RecordedSequence) -> None:
        """Record a sequence."""
        self._records[sequence_id] = self._clock(), record
        self._tokens += record.size
        now = self._clock()
        while self._records:
            used, oldest = next(iter(self._records.values()))
            if self._tokens <= self._max_tokens and now - used <= LIFETIME_SECONDS:
                break
            self._records.popitem(last=False)
            self._tokens -= oldest.size

    def get(self, sequence_id: str, session_id: str) -> RecordedSequence | None:
        """The record of a sequence of this session; its lifetime starts anew."""
        used, record = self._records.get(sequence_id, (0.0, None))
        now = self._clock()
        if record is None or record.session_id != session_id or now - used > LIFETIME_SECONDS:
            return None
        self._records[sequence_id] = now, record
        self._records.move_to_end(sequence_id)
        return record


def with_recorded_logprobs(
    loss_input: LossInput, records: SequenceRecords, session_id: str
) -> LossInput | UserFailureError:
    """The input of stable_reinforce with the recorded log-probabilities; other losses unchanged.

    `logprobs` become the recorded ones, and `weights` 1 for sampled tokens and 0 for all others.
    Returns an error if a datum has no provenance, or if its tokens are not the recorded ones.
    """
    if loss_input.loss_fn != STABLE_REINFORCE:
        return loss_input
    spans = loss_input.spans or [None] * len(loss_input.data)
    try:
        data = [
            _resolved(datum, datum_spans, records, session_id, f"data[{index}]")
            for index, (datum, datum_spans) in enumerate(zip(loss_input.data, spans, strict=True))
        ]
    except UserFailureError as error:
        return error
    return evolve(loss_input, data=data)


def _resolved(
    datum: TrainingDatum,
    spans: DatumSpans | None,
    records: SequenceRecords,
    session_id: str,
    where: str,
) -> TrainingDatum:
    if spans is None:
        raise UserFailureError(
            f"{where}: {STABLE_REINFORCE} needs the provenance of the tokens; set it with "
            "datum.with_provenance, and send the request as protobuf, as later releases do"
        )
    targets = datum.inputs.get("target_tokens")
    if targets is None or targets.ndim != 1:
        raise UserFailureError(f"{where}.loss_fn_inputs['target_tokens']: must be a list of tokens")
    inputs_where, targets_where = f"{where}.model_input_spans", f"{where}.loss_fn_input_spans"
    _cover(spans.model_input, datum.tokens, records, session_id, inputs_where)
    logprobs, weights = _cover(spans.targets, targets, records, session_id, targets_where)
    return evolve(datum, inputs={**datum.inputs, "logprobs": logprobs, "weights": weights})


def _cover(
    spans: Sequence[Span],
    tokens: npt.NDArray[Any],
    records: SequenceRecords,
    session_id: str,
    where: str,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The recorded log-probabilities of these tokens, and 1 where they were sampled, else 0."""
    import numpy as np

    logprobs, sampled = np.zeros(len(tokens), np.float32), np.zeros(len(tokens), np.float32)
    total = sum(span.length for span in spans)
    if total != len(tokens):
        raise UserFailureError(f"{where}: the spans cover {total} of {len(tokens)} tokens")
    start = 0
    for index, span in enumerate(spans):
        here = slice(start, start + span.length)
        record = _record(span, records, session_id, f"{where}[{index}]")
        recorded = record.tokens if span.sampled else record.prompt
        within = slice(span.offset, span.offset + span.length)
        if not np.array_equal(recorded[within], tokens[here]):
            kind = "sampled tokens" if span.sampled else "prompt"
            raise UserFailureError(
                f"{where}[{index}]: the tokens differ from those at {span.offset} to "
                f"{within.stop} of the {kind} of {span.sequence_id!r}"
            )
        if span.sampled:
            logprobs[here], sampled[here] = record.logprobs[within], 1.0
        start = here.stop
    return logprobs, sampled


def _record(span: Span, records: SequenceRecords, session_id: str, where: str) -> RecordedSequence:
    record = records.get(span.sequence_id, session_id)
    if record is None:
        raise UserFailureError(
            f"{where}: this session has no recorded sequence {span.sequence_id!r}; sample with "
            "record_stability_info=True, and train within a day and before the server stops"
        )
    length = len(record.tokens if span.sampled else record.prompt)
    if span.offset < 0 or span.length < 0 or span.offset + span.length > length:
        kind = "sampled tokens" if span.sampled else "prompt tokens"
        raise UserFailureError(
            f"{where}: covers {span.offset} to {span.offset + span.length}, but "
            f"{span.sequence_id!r} has {length} {kind}"
        )
    return record
