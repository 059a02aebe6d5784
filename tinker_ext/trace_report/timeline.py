"""For each operation of a recording: where it was, at each moment of its life.

The client sees requests and answers; what the server does in between it has to infer:

* Until a submission is answered, and while a result is downloaded, the time is the network's.
* From then until the result is ready it is the server's. It is queue as long as the last answer
  said "paused", or the first answer will; else it is compute.
* A server works through one model's requests in their order. While an earlier request of the same
  model is not ready, a later one is where the earlier one is.
* A last poll that took no longer than a round trip found the result ready: it is network.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from tinker_ext.tracing import names
from tinker_ext.tracing.names import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tinker_ext.trace_report.recordings import Recording, SpanRecord

# A submission with a body up to this many bytes takes about a round trip.
_SMALL_BODY = 16_384
# A poll that takes longer than so many round trips was held by the server.
_HELD = 1.5


class Category(StrEnum):
    """Where time goes."""

    CLIENT = "client"
    CONNECT = "connecting"
    NETWORK = "network"
    QUEUE = "server queue"
    COMPUTE = "server compute"
    PAUSE = "pauses"
    OWN = "your own code"


class Segment(NamedTuple):
    """From `start` to `end`, in nanoseconds, the time was spent there."""

    start: int
    end: int
    where: Category


class Timeline:
    """Pieces that follow each other; what is painted later covers what was there."""

    def __init__(self, pieces: Iterable[Segment] = ()) -> None:
        self.pieces = list(pieces)

    def paint(self, start: int, end: int, where: Category) -> None:
        if end <= start:
            return
        kept: list[Segment] = []
        for piece in self.pieces:
            if piece.start < start:
                kept.append(piece._replace(end=min(piece.end, start)))
            if piece.end > end:
                kept.append(piece._replace(start=max(piece.start, end)))
        kept = [piece for piece in kept if piece.end > piece.start]
        kept.append(Segment(start, end, where))
        self.pieces = sorted(kept)

    def between(self, start: int, end: int) -> list[Segment]:
        """The pieces of that time, cut to it; found without looking at all, there may be many."""
        first = max(0, bisect_left(self.pieces, start, key=lambda piece: piece.start) - 1)
        found = []
        for piece in islice(self.pieces, first, None):
            if piece.start >= end:
                break
            if piece.end > start:
                found.append(Segment(max(piece.start, start), min(piece.end, end), piece.where))
        return found

    def paint_line(self, other: Timeline, start: int, end: int) -> None:
        for piece in other.between(start, end):
            self.paint(*piece)


class Timelines:
    """The line of each operation, by the id of its span."""

    def __init__(self, recording: Recording) -> None:
        self._children: dict[str | None, list[SpanRecord]] = defaultdict(list)
        everything = [*recording.spans, *recording.unfinished]
        for span in everything:
            self._children[span.parent].append(span)
        operations = sorted(
            (span for span in everything if span.is_operation), key=lambda span: span.start
        )
        self.round_trip = _round_trip(self, operations)
        self._submitting: dict[str, Timeline] = defaultdict(Timeline)
        self._serving: dict[str, Timeline] = defaultdict(Timeline)
        for operation in operations:
            self._follow(operation)
        for line in self._submitting.values():
            line.pieces.sort()  # Threads may have submitted in another order than they called.
        self.of = {operation.id: self._line(operation) for operation in operations}

    def children(self, span: SpanRecord) -> list[SpanRecord]:
        return self._children[span.id]

    def _follow(self, operation: SpanRecord) -> None:
        """Add an operation's requests to what its model submits, and to what the server does."""
        model = operation.attributes.get(names.MODEL_ID)
        if model is None:
            return
        for stage in self.children(operation):
            if stage.is_stage(Stage.SUBMIT):
                self._submitting[model].pieces += self._submission(stage).pieces
            elif stage.is_stage(Stage.SERVER):
                line = self._serving[model]
                free = max([piece.end for piece in line.pieces[-1:]] + [stage.start])
                line.pieces += self._service(stage).between(free, stage.end)

    def _line(self, operation: SpanRecord) -> Timeline:
        line = Timeline([Segment(operation.start, operation.end, Category.CLIENT)])
        model = operation.attributes.get(names.MODEL_ID)
        for child in sorted(self.children(operation), key=lambda span: span.start):
            start, end = child.start, min(child.end, operation.end)
            if child.is_operation:
                line.paint_line(self._line(child), start, end)
            elif child.is_stage(Stage.TURN) and model is not None:
                line.paint_line(self._submitting[model], start, end)
            elif child.is_stage(Stage.SUBMIT):
                line.paint_line(self._submission(child), start, end)
            elif child.is_stage(Stage.SERVER):
                served = self._service(child) if model is None else self._serving[model]
                line.paint_line(served, start, end)
                self._paint_details(line, child)
            elif child.is_stage(Stage.CONNECT):
                line.paint(start, end, Category.CONNECT)
            elif child.is_stage(Stage.PAUSE):
                line.paint(start, end, Category.PAUSE)
            elif child.is_stage(Stage.CUSTOM_LOSS):
                line.paint(start, end, Category.OWN)
        return line

    def _submission(self, stage: SpanRecord) -> Timeline:
        line = Timeline([Segment(stage.start, stage.end, Category.CLIENT)])
        for child in self.children(stage):
            pause = child.is_stage(Stage.PAUSE)
            line.paint(child.start, child.end, Category.PAUSE if pause else Category.NETWORK)
        return line

    def _service(self, stage: SpanRecord) -> Timeline:
        """What the server's answers say of a request's wait, whatever other requests do."""
        polls = [event for event in stage.events if event.name == names.POLL_EVENT]
        line = Timeline()
        start, paused = stage.start, bool(polls) and _is_paused(polls[0].attributes)
        for poll in polls:
            line.pieces.append(
                Segment(start, poll.time, Category.QUEUE if paused else Category.COMPUTE)
            )
            start, paused = poll.time, _is_paused(poll.attributes)
        line.pieces.append(
            Segment(start, stage.end, Category.QUEUE if paused else Category.COMPUTE)
        )
        return line

    def _paint_details(self, line: Timeline, stage: SpanRecord) -> None:
        """What the client did while the server had a request."""
        children = self.children(stage)
        polls = [child for child in children if child.kind == "client"]
        if polls and polls[-1].end - polls[-1].start <= _HELD * self.round_trip:
            line.paint(polls[-1].start, polls[-1].end, Category.NETWORK)
        for span in [*children, *(below for poll in polls for below in self.children(poll))]:
            if span.is_stage(Stage.PAUSE):
                line.paint(span.start, span.end, Category.PAUSE)
            elif span.is_stage(Stage.FETCH):
                line.paint(span.start, span.end, Category.NETWORK)
            elif span.is_stage(Stage.DECODE) or span.is_stage(Stage.BUDGET):
                line.paint(span.start, span.end, Category.CLIENT)


def _is_paused(attributes: object) -> bool:
    state = attributes.get(names.QUEUE_STATE) if isinstance(attributes, dict) else None
    return isinstance(state, str) and state.startswith("paused")


def _round_trip(lines: Timelines, operations: Iterable[SpanRecord]) -> float:
    """Nanoseconds that a small request and its answer take at best; 0 where nothing tells.

    The quickest is the network's. Most others are not: a burst of samples waits for a busy server.
    """
    attempts = [
        attempt
        for operation in operations
        for stage in lines.children(operation)
        if stage.is_stage(Stage.SUBMIT)
        for attempt in lines.children(stage)
        if attempt.kind == "client"
        and names.ERROR_TYPE not in attempt.attributes
        and attempt.attributes.get(names.HTTP_REQUEST_SIZE, 0) <= _SMALL_BODY
    ]
    return min((attempt.end - attempt.start for attempt in attempts), default=0.0)
