"""Where the time of a run went, and a sentence that says it.

The clock is the user's: at each moment somebody waits for a result, and the time goes where that
operation is (`lines`); or the client works on the user's thread; or neither, and then it is the
user's own code. Where several wait at once, each counts for its part.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median
from typing import TYPE_CHECKING

from attrs import frozen

from tinker_ext.trace_report.timeline import Category, Segment, Timelines
from tinker_ext.tracing import names
from tinker_ext.tracing.names import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tinker_ext.trace_report.recordings import Recording, SpanRecord

_CLIENT_STAGES = (Stage.ENCODE, Stage.DECODE, Stage.REDUCE)


@frozen
class OperationCount:
    """All operations of one name; times in seconds."""

    name: str
    count: int
    failed: int
    retries: int
    median: float
    longest: float


@frozen
class Summary:
    """Where the seconds of a run went.

    Attributes:
        total: from the first call to the last result.
        seconds: by where; they add up to `total`.
        own_while_idle: seconds of the user's own code in which no request was under way.
        round_trip: seconds that a small request and its answer take at best; 0 if unknown.
        queue_reasons: what the server said of its queue, and how often.
        steps: the duration of each `tinker.step`, by its number.
        unfinished: operations that never ended: name and seconds until the recording's end.
    """

    total: float
    seconds: Mapping[Category, float]
    own_while_idle: float
    round_trip: float
    operations: list[OperationCount]
    queue_reasons: Mapping[str, int]
    steps: Mapping[int, float]
    unfinished: list[tuple[str, float]]

    def share(self, where: Category) -> float:
        """The part of the total, from 0 to 1."""
        return self.seconds[where] / self.total if self.total else 0.0

    @property
    def verdict(self) -> str:
        """Who is to blame, in a sentence."""
        if not self.total:
            return "Nothing was recorded that took any time."
        most = max(self.seconds, key=lambda where: self.seconds[where])
        return f"{self.share(most):.0%} of {self.total:.3g} s went to {self._blame(most)}"

    def _blame(self, where: Category) -> str:
        retries = sum(operation.retries for operation in self.operations)
        match where:
            case Category.QUEUE:
                reasons = ", ".join(self.queue_reasons) or "it gave no reason"
                return f"the server's queue ({reasons}); neither your code nor the network did it."
            case Category.COMPUTE:
                return "the server's work on your requests."
            case Category.NETWORK:
                return (
                    "the network, or the server's taking requests in; "
                    f"a small one takes {self.round_trip * 1e3:.3g} ms at best."
                )
            case Category.PAUSE:
                return (
                    f"pauses between attempts, {retries} in all: the server refused or failed "
                    "requests; fewer at once may be faster."
                )
            case Category.OWN:
                return (
                    f"your own code between calls, and for {self.own_while_idle:.3g} s of it "
                    "no request was under way: submit the next one before you compute."
                )
            case Category.CLIENT:
                return "this client: encoding, decoding, and its own limits."
            case Category.CONNECT:
                return "connecting: starting a backend, opening a session."


def summarize(recording: Recording) -> Summary:
    """Attribute the time of a recording."""
    lines = Timelines(recording)
    operations = [span for span in [*recording.spans, *recording.unfinished] if span.is_operation]
    busy = list(_busy(recording, lines))
    within = [(piece.start, piece.end) for piece in busy]
    within += [(span.start, span.end) for span in operations]
    within += [(span.start, span.end) for span in recording.spans if span.is_step]
    seconds, idle = _attribute(busy, operations, within)
    return Summary(
        total=sum(seconds.values()),
        seconds=seconds,
        own_while_idle=idle,
        round_trip=lines.round_trip / 1e9,
        operations=_count(operations, recording),
        queue_reasons=_queue_reasons(recording.spans),
        steps={
            span.attributes[names.STEP]: span.seconds for span in recording.spans if span.is_step
        },
        unfinished=[(span.name, span.seconds) for span in recording.unfinished],
    )


def users_time(recording: Recording, lines: Timelines) -> list[Segment]:
    """What the user's threads did while they were in a call, one piece after another."""
    return sorted(_busy(recording, lines))


def _busy(recording: Recording, lines: Timelines) -> Iterable[Segment]:
    """Where the time goes while the user's thread is in a call or waits."""
    within: set[str] = set()
    for span in recording.spans:
        if not span.on_users_thread:
            continue
        if span.is_stage(Stage.WAIT) and span.parent in lines.of:
            yield from _waited(span, lines)
        elif any(span.is_stage(stage) for stage in _CLIENT_STAGES):
            within.add(span.id)
            if span.parent not in within:
                yield Segment(span.start, span.end, Category.CLIENT)


def _waited(wait: SpanRecord, lines: Timelines) -> Iterable[Segment]:
    """A wait, in the pieces of what was waited for; what is left of it is the client's."""
    assert wait.parent is not None
    last = wait.start
    for piece in lines.of[wait.parent].between(wait.start, wait.end):
        yield piece
        last = piece.end
    if last < wait.end:
        yield Segment(last, wait.end, Category.CLIENT)


def _attribute(
    busy: list[Segment], operations: list[SpanRecord], within: list[tuple[int, int]]
) -> tuple[dict[Category, float], float]:
    """Seconds by where, and those of the user's own in which nothing was under way."""
    changes: list[tuple[int, Category | None, int]] = []
    for piece in busy:
        changes += [(piece.start, piece.where, 1), (piece.end, piece.where, -1)]
    for span in operations:
        changes += [(span.start, None, 1), (span.end, None, -1)]
    changes.sort(key=lambda change: change[0])
    nanoseconds: dict[Category, float] = dict.fromkeys(Category, 0.0)
    active: Counter[Category | None] = Counter()
    idle = 0.0
    at = min((start for start, _ in within), default=0)
    last = max((end for _, end in within), default=0)
    for time, what, change in [*changes, (last, None, 0)]:
        passed = time - at
        if passed > 0:
            waiting = {where: active[where] for where in Category if active[where] > 0}
            for where, count in waiting.items():
                nanoseconds[where] += passed * count / sum(waiting.values())
            if not waiting:
                nanoseconds[Category.OWN] += passed
                idle += 0 if active[None] else passed
            at = time
        active[what] += change
    return {where: value / 1e9 for where, value in nanoseconds.items()}, idle / 1e9


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
    """For each span the id of the operation it belongs to; spans start after their parents."""
    owner: dict[str, str] = {}
    for span in [*recording.unfinished, *recording.spans]:
        if span.is_operation:
            owner[span.id] = span.id
        elif span.parent in owner:
            owner[span.id] = owner[span.parent]
    return owner


def _queue_reasons(spans: list[SpanRecord]) -> dict[str, int]:
    told = Counter(
        event.attributes.get(names.QUEUE_REASON) or event.attributes[names.QUEUE_STATE]
        for span in spans
        for event in span.events
        if event.name == names.POLL_EVENT
        and str(event.attributes.get(names.QUEUE_STATE, "")).startswith("paused")
    )
    return dict(told.most_common())
