"""Summarizes where the time of a run went.

Each moment of an operation has a category such as network or server queue. The client only sees
requests and responses, and infers the state of the server in between:

* The time until a submission is accepted, and the download of a result, are network.
* From then until the result is ready, the time is the server's: queue while the latest poll (or the
  first poll, before there is one) reports "paused", compute otherwise.
* A server processes the requests of a model in order. Until an earlier request of the model is
  ready, a later one has the category of the earlier one.
* A final poll that took no longer than a round trip means the result was ready: it is network.

The summary attributes the time from the user's view. While a thread or coroutine waits for a
result, the time belongs to the category of that operation at that moment. While the client works on
the user's thread, the time is the client's. All other time is the user's own code. Simultaneous
waits share the time equally.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import islice
from statistics import median
from typing import NamedTuple

from attrs import frozen

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


_CLIENT_STAGES = (Stage.ENCODE, Stage.DECODE, Stage.REDUCE)


@frozen
class OperationCount:
    """Statistics of the operations of one name; times in seconds."""

    name: str
    count: int
    failed: int
    retries: int
    median: float
    longest: float


@frozen
class Summary:
    """Where the time of a run went.

    Attributes:
        total: from the first call to the last result.
        seconds: seconds per category; they add up to `total`.
        own_while_idle: seconds of the user's own code without a request in flight.
        round_trip: seconds of the fastest small request and its response; 0 if unknown.
        queue_reasons: the reasons the server gave for queueing, with their counts.
        steps: the duration of each `tinker.step`, by step number.
        unfinished: operations without an end: name and seconds until the end of the recording.
    """

    total: float
    seconds: Mapping[Category, float]
    own_while_idle: float
    round_trip: float
    operations: list[OperationCount]
    queue_reasons: Mapping[str, int]
    steps: Mapping[int, float]
    unfinished: list[tuple[str, float]]

    def share(self, category: Category) -> float:
        """The fraction of the total, from 0 to 1."""
        return self.seconds[category] / self.total if self.total else 0.0

    @property
    def verdict(self) -> str:
        """A sentence that names the category with the most time."""
        if not self.total:
            return "The recording contains no operation that took any time."
        largest = max(self.seconds, key=lambda category: self.seconds[category])
        return f"{self.share(largest):.0%} of {self.total:.3g} s went to {self._describe(largest)}"

    def _describe(self, category: Category) -> str:
        retries = sum(operation.retries for operation in self.operations)
        match category:
            case Category.QUEUE:
                reasons = ", ".join(self.queue_reasons) or "no reason given"
                return f"the server's queue ({reasons}), not to your code or the network."
            case Category.COMPUTE:
                return "computation on the server."
            case Category.NETWORK:
                return (
                    "the network, or to the server accepting requests; "
                    f"the fastest small request took {self.round_trip * 1e3:.3g} ms."
                )
            case Category.PAUSE:
                return (
                    f"pauses between attempts (retries: {retries}): the server rejected or failed "
                    "requests; sending fewer at once may be faster."
                )
            case Category.OWN:
                return (
                    f"your own code between calls; for {self.own_while_idle:.3g} s of it no "
                    "request was in flight: submit the next request before you compute."
                )
            case Category.CLIENT:
                return (
                    "this client: encoding, decoding, loading tokenizers and waiting for its own "
                    "limits."
                )
            case Category.CONNECT:
                return "connecting: starting a backend or opening a session."


def summarize(recording: Recording) -> Summary:
    """Attribute the time of a recording."""
    timelines = Timelines(recording)
    operations = [span for span in [*recording.spans, *recording.unfinished] if span.is_operation]
    busy = list(_busy(recording, timelines))
    intervals = [(segment.start, segment.end) for segment in busy]
    intervals += [(span.start, span.end) for span in operations]
    intervals += [
        (span.start, span.end)
        for span in recording.spans
        if span.is_step or span.name == names.TOKENIZER_SPAN
    ]
    seconds, idle = _attribute(busy, operations, intervals)
    return Summary(
        total=sum(seconds.values()),
        seconds=seconds,
        own_while_idle=idle,
        round_trip=timelines.round_trip / 1e9,
        operations=_count(operations, recording),
        queue_reasons=_queue_reasons(recording.spans),
        steps={
            span.attributes[names.STEP]: span.seconds for span in recording.spans if span.is_step
        },
        unfinished=[(span.name, span.seconds) for span in recording.unfinished],
    )


def user_segments(recording: Recording, timelines: Timelines) -> list[Segment]:
    """The use of the time while the user's threads were in a call, ordered by start."""
    return sorted(_busy(recording, timelines))


def _busy(recording: Recording, timelines: Timelines) -> Iterable[Segment]:
    """Where the time goes while a user's thread is in a call or waits."""
    inside: set[str] = set()
    for span in recording.spans:
        if not span.on_users_thread:
            continue
        if span.name == names.TOKENIZER_SPAN:
            inside.add(span.id)
            yield Segment(span.start, span.end, Category.CLIENT)
        elif span.is_stage(Stage.WAIT) and span.parent in timelines.of:
            yield from _waited(span, timelines)
        elif any(span.is_stage(stage) for stage in _CLIENT_STAGES):
            inside.add(span.id)
            if span.parent not in inside:
                yield Segment(span.start, span.end, Category.CLIENT)


def _waited(wait: SpanRecord, timelines: Timelines) -> Iterable[Segment]:
    """The segments of the awaited operation during a wait; the remainder is the client's."""
    assert wait.parent is not None
    last = wait.start
    for segment in timelines.of[wait.parent].between(wait.start, wait.end):
        yield segment
        last = segment.end
    if last < wait.end:
        yield Segment(last, wait.end, Category.CLIENT)


def _attribute(
    busy: list[Segment], operations: list[SpanRecord], intervals: list[tuple[int, int]]
) -> tuple[dict[Category, float], float]:
    """Seconds per category, and those of the user's code with no operation in progress."""
    changes: list[tuple[int, Category | None, int]] = []
    for segment in busy:
        changes += [(segment.start, segment.category, 1), (segment.end, segment.category, -1)]
    for span in operations:
        changes += [(span.start, None, 1), (span.end, None, -1)]
    changes.sort(key=lambda change: change[0])
    nanoseconds: dict[Category, float] = dict.fromkeys(Category, 0.0)
    active: Counter[Category | None] = Counter()
    idle = 0.0
    at = min((start for start, _ in intervals), default=0)
    last = max((end for _, end in intervals), default=0)
    for time, category, change in [*changes, (last, None, 0)]:
        passed = time - at
        if passed > 0:
            waiting = {name: active[name] for name in Category if active[name] > 0}
            for name, count in waiting.items():
                nanoseconds[name] += passed * count / sum(waiting.values())
            if not waiting:
                nanoseconds[Category.OWN] += passed
                idle += 0 if active[None] else passed
            at = time
        active[category] += change
    return {name: value / 1e9 for name, value in nanoseconds.items()}, idle / 1e9


def _count(operations: list[SpanRecord], recording: Recording) -> list[OperationCount]:
    by_name: dict[str, list[SpanRecord]] = defaultdict(list)
    for span in operations:
        by_name[span.name.removeprefix("tinker.")].append(span)
    owner = _owners(recording)
    retries = Counter(
        owner[span.id]
        for span in recording.spans
        for event in span.events
        if event.name == names.RETRY_EVENT and span.id in owner
    )
    return [
        OperationCount(
            name=name,
            count=len(spans),
            failed=sum(span.failed for span in spans),
            retries=sum(retries[span.id] for span in spans),
            median=median(span.seconds for span in spans),
            longest=max(span.seconds for span in spans),
        )
        for name, spans in by_name.items()
    ]


def _owners(recording: Recording) -> dict[str, str]:
    """The id of the operation of each span. Spans start after their parents."""
    owner: dict[str, str] = {}
    for span in [*recording.unfinished, *recording.spans]:
        if span.is_operation:
            owner[span.id] = span.id
        elif span.parent in owner:
            owner[span.id] = owner[span.parent]
    return owner


def _queue_reasons(spans: list[SpanRecord]) -> dict[str, int]:
    reasons = Counter(
        event.attributes.get(names.QUEUE_REASON) or event.attributes[names.QUEUE_STATE]
        for span in spans
        for event in span.events
        if event.name == names.POLL_EVENT
        and str(event.attributes.get(names.QUEUE_STATE, "")).startswith("paused")
    )
    return dict(reasons.most_common())
