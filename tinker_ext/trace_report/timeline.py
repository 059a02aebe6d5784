"""Assigns each moment of an operation to a category such as network or server queue.

The client only sees requests and responses, and infers the state of the server in between:

* The time until a submission is accepted, and the download of a result, are network.
* From then until the result is ready, the time is the server's: queue while the latest poll (or the
  first poll, before there is one) reports "paused", compute otherwise.
* A server processes the requests of a model in order. Until an earlier request of the model is
  ready, a later one has the category of the earlier one.
* A final poll that took no longer than a round trip means the result was ready: it is network.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from tinker_ext.trace_report.recordings import Recording, SpanRecord
from tinker_ext.tracing import names
from tinker_ext.tracing.names import Stage

# Bytes of a body up to which a submission takes about one round trip.
_SMALL_BODY = 16_384
# Round trips beyond which a poll was held by the server.
_MAX_IMMEDIATE = 1.5


class Category(StrEnum):
    """Where time is spent."""

    CLIENT = "client"
    CONNECT = "connecting"
    NETWORK = "network"
    QUEUE = "server queue"
    COMPUTE = "server compute"
    PAUSE = "pauses"
    OWN = "your own code"


class Segment(NamedTuple):
    """The time from `start` to `end`, in nanoseconds, and its category."""

    start: int
    end: int
    category: Category


class Timeline:
    """Consecutive segments."""

    def __init__(self, segments: Iterable[Segment] = ()) -> None:
        self.segments = list(segments)

    def paint(self, start: int, end: int, category: Category) -> None:
        """Set the category of an interval; replaces earlier segments."""
        if end <= start:
            return
        segments: list[Segment] = []
        for segment in self.segments:
            if segment.start < start:
                segments.append(segment._replace(end=min(segment.end, start)))
            if segment.end > end:
                segments.append(segment._replace(start=max(segment.start, end)))
        segments = [segment for segment in segments if segment.end > segment.start]
        segments.append(Segment(start, end, category))
        self.segments = sorted(segments)

    def between(self, start: int, end: int) -> list[Segment]:
        """The segments of an interval, cut to it; found by bisection because there may be many."""
        first = max(0, bisect_left(self.segments, start, key=lambda segment: segment.start) - 1)
        result = []
        for segment in islice(self.segments, first, None):
            if segment.start >= end:
                break
            if segment.end > start:
                part = segment._replace(start=max(segment.start, start), end=min(segment.end, end))
                result.append(part)
        return result

    def paint_timeline(self, other: Timeline, start: int, end: int) -> None:
        for segment in other.between(start, end):
            self.paint(*segment)


class Timelines:
    """The timeline of each operation, by the id of its span."""

    def __init__(self, recording: Recording) -> None:
        self._children: dict[str | None, list[SpanRecord]] = defaultdict(list)
        spans = [*recording.spans, *recording.unfinished]
        for span in spans:
            self._children[span.parent].append(span)
        operations = sorted(
            (span for span in spans if span.is_operation), key=lambda span: span.start
        )
        self.round_trip = _round_trip(self, operations)
        self._submitting: dict[str, Timeline] = defaultdict(Timeline)
        self._serving: dict[str, Timeline] = defaultdict(Timeline)
        for operation in operations:
            self._add_requests(operation)
        for timeline in self._submitting.values():
            timeline.segments.sort()  # Threads may submit in an order other than that of the calls.
        self.of = {operation.id: self._timeline(operation) for operation in operations}

    def children(self, span: SpanRecord) -> list[SpanRecord]:
        return self._children[span.id]

    def _add_requests(self, operation: SpanRecord) -> None:
        """Add an operation's requests to the submission and server timelines of its model."""
        model = operation.attributes.get(names.MODEL_ID)
        if model is None:
            return
        for stage in self.children(operation):
            if stage.is_stage(Stage.SUBMIT):
                self._submitting[model].segments += self._submission(stage).segments
            elif stage.is_stage(Stage.SERVER):
                served = self._serving[model]
                free = max([segment.end for segment in served.segments[-1:]] + [stage.start])
                served.segments += self._service(stage).between(free, stage.end)

    def _timeline(self, operation: SpanRecord) -> Timeline:
        timeline = Timeline([Segment(operation.start, operation.end, Category.CLIENT)])
        model = operation.attributes.get(names.MODEL_ID)
        for child in sorted(self.children(operation), key=lambda span: span.start):
            start, end = child.start, min(child.end, operation.end)
            if child.is_operation:
                timeline.paint_timeline(self._timeline(child), start, end)
            elif child.is_stage(Stage.TURN) and model is not None:
                timeline.paint_timeline(self._submitting[model], start, end)
            elif child.is_stage(Stage.SUBMIT):
                timeline.paint_timeline(self._submission(child), start, end)
            elif child.is_stage(Stage.SERVER):
                served = self._service(child) if model is None else self._serving[model]
                timeline.paint_timeline(served, start, end)
                self._paint_details(timeline, child)
            elif child.is_stage(Stage.CONNECT):
                timeline.paint(start, end, Category.CONNECT)
            elif child.is_stage(Stage.PAUSE):
                timeline.paint(start, end, Category.PAUSE)
            elif child.is_stage(Stage.CUSTOM_LOSS):
                timeline.paint(start, end, Category.OWN)
        return timeline

    def _submission(self, stage: SpanRecord) -> Timeline:
        timeline = Timeline([Segment(stage.start, stage.end, Category.CLIENT)])
        for child in self.children(stage):
            pause = child.is_stage(Stage.PAUSE)
            timeline.paint(child.start, child.end, Category.PAUSE if pause else Category.NETWORK)
        return timeline

    def _service(self, stage: SpanRecord) -> Timeline:
        """The server time of a request by its own polls, regardless of other requests."""
        polls = [event for event in stage.events if event.name == names.POLL_EVENT]
        timeline = Timeline()
        start, paused = stage.start, bool(polls) and _is_paused(polls[0].attributes)
        for poll in polls:
            timeline.segments.append(
                Segment(start, poll.time, Category.QUEUE if paused else Category.COMPUTE)
            )
            start, paused = poll.time, _is_paused(poll.attributes)
        timeline.segments.append(
            Segment(start, stage.end, Category.QUEUE if paused else Category.COMPUTE)
        )
        return timeline

    def _paint_details(self, timeline: Timeline, stage: SpanRecord) -> None:
        """Paint the client's work while the server had a request."""
        children = self.children(stage)
        polls = [child for child in children if child.kind == "client"]
        if polls and polls[-1].end - polls[-1].start <= _MAX_IMMEDIATE * self.round_trip:
            timeline.paint(polls[-1].start, polls[-1].end, Category.NETWORK)
        for span in [*children, *(below for poll in polls for below in self.children(poll))]:
            if span.is_stage(Stage.PAUSE):
                timeline.paint(span.start, span.end, Category.PAUSE)
            elif span.is_stage(Stage.FETCH):
                timeline.paint(span.start, span.end, Category.NETWORK)
            elif span.is_stage(Stage.DECODE) or span.is_stage(Stage.BUDGET):
                timeline.paint(span.start, span.end, Category.CLIENT)


def _is_paused(attributes: object) -> bool:
    state = attributes.get(names.QUEUE_STATE) if isinstance(attributes, dict) else None
    return isinstance(state, str) and state.startswith("paused")


def _round_trip(timelines: Timelines, operations: Iterable[SpanRecord]) -> float:
    """Nanoseconds of the fastest small request and its response; 0 if there was none.

    Only the fastest one measures the network: in a burst of samples, most wait for a busy server.
    """
    attempts = [
        attempt
        for operation in operations
        for stage in timelines.children(operation)
        if stage.is_stage(Stage.SUBMIT)
        for attempt in timelines.children(stage)
        if attempt.kind == "client"
        and names.ERROR_TYPE not in attempt.attributes
        and attempt.attributes.get(names.HTTP_REQUEST_SIZE, 0) <= _SMALL_BODY
    ]
    return min((attempt.end - attempt.start for attempt in attempts), default=0.0)
