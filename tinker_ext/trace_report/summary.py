"""Summarizes where the time of a run went.

Time is attributed from the user's view. While a thread or coroutine waits for a result, the time
belongs to the category of that operation at that moment (`timeline`). While the client works on the
user's thread, the time is the client's. All other time is the user's own code. Simultaneous waits
share the time equally.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from statistics import median

from attrs import frozen

from tinker_ext.trace_report.recordings import Recording, SpanRecord
from tinker_ext.trace_report.timeline import Category, Segment, Timelines
from tinker_ext.tracing import names
from tinker_ext.tracing.names import Stage

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
