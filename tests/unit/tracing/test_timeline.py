"""The inferred state of the server, on hand-written recordings."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tinker_ext.trace_report.recordings import LOOP_THREAD, Event, Recording, SpanRecord
from tinker_ext.trace_report.summary import Category, Segment, Timeline, Timelines, summarize

SECOND = 1_000_000_000
ids = map(str, itertools.count(1))


def span(
    name: str, start: float, end: float, parent: SpanRecord | None = None, **more: Any
) -> SpanRecord:
    """Create a span; times are in seconds."""
    client = name.startswith("POST") or more.pop("operation", False)
    return SpanRecord(
        name=name if name.startswith("POST") else f"tinker.{name}",
        id=next(ids),
        parent=None if parent is None else parent.id,
        kind="client" if client else "internal",
        process=1,
        thread=more.pop("thread", LOOP_THREAD),
        start=round(start * SECOND),
        end=round(end * SECOND),
        **more,
    )


def operation(start: float, end: float, model: str | None = "model") -> SpanRecord:
    attributes = {} if model is None else {"tinker.model.id": model}
    return span("forward_backward", start, end, operation=True, attributes=attributes)


def poll(time: float, state: str) -> Event:
    return Event("tinker.poll", round(time * SECOND), {"tinker.queue.state": state})


def seconds(timeline: Timeline) -> dict[Category, float]:
    result: dict[Category, float] = {}
    for segment in timeline.segments:
        duration = (segment.end - segment.start) / SECOND
        result[segment.category] = result.get(segment.category, 0) + duration
    return result


def submitted(parent: SpanRecord, start: float, end: float) -> list[SpanRecord]:
    stage = span("submit", start, end, parent)
    return [stage, span("POST /api/v1/forward_backward", start, end, stage)]


def test_time_is_network_until_accepted_then_server() -> None:
    first = operation(0, 4)
    server = span("server", 1, 4, first, events=(poll(2, "paused_capacity"), poll(3, "active")))
    spans = [first, *submitted(first, 0, 1), server]
    timeline = Timelines(Recording(spans, [])).of[first.id]
    assert seconds(timeline) == {Category.NETWORK: 1, Category.QUEUE: 2, Category.COMPUTE: 1}


def test_request_behind_earlier_one_of_same_model_has_its_category() -> None:
    first, second = operation(0, 5), operation(0, 6)
    served = span("server", 1, 5, first, events=(poll(1.5, "paused_rate_limit"), poll(3, "active")))
    spans = [first, second, *submitted(first, 0, 1), *submitted(second, 1, 1.5), served]
    spans.append(span("server", 1.5, 6, second))
    timeline = Timelines(Recording(spans, [])).of[second.id]
    assert seconds(timeline)[Category.QUEUE] == 1.5
    assert seconds(timeline)[Category.COMPUTE] == 3


def test_request_of_another_model_does_not_affect_category() -> None:
    first, second = operation(0, 5), operation(0, 6, "other")
    served = span("server", 0, 5, first, events=(poll(1, "paused_capacity"),))
    spans = [first, second, served, span("server", 0, 6, second)]
    assert seconds(Timelines(Recording(spans, [])).of[second.id]) == {Category.COMPUTE: 6}


def test_turn_wait_has_category_of_earlier_submission() -> None:
    first, second = operation(0, 3), operation(0, 4)
    submit = span("submit", 0, 3, first)
    spans = [first, second, submit, span("POST /api/v1/x", 0, 1, submit)]
    spans += [span("pause", 1, 2, submit), span("POST /api/v1/x", 2, 3, submit)]
    spans += [span("wait_turn", 0, 3, second), *submitted(second, 3, 4)]
    timeline = Timelines(Recording(spans, [])).of[second.id]
    assert seconds(timeline) == {Category.NETWORK: 3, Category.PAUSE: 1}


@pytest.mark.parametrize(
    ("elapsed", "expected"),
    [(0.1, {Category.NETWORK: 0.2}), (0.9, {Category.NETWORK: 0.1, Category.COMPUTE: 0.9})],
    ids=["result ready", "held by the server"],
)
def test_final_poll_as_short_as_round_trip_is_network(
    elapsed: float, expected: dict[Category, float]
) -> None:
    first = operation(0, 0.1 + elapsed)
    server = span("server", 0.1, 0.1 + elapsed, first)
    attempt = span("POST /api/v1/retrieve_future", 0.1, 0.1 + elapsed, server)
    spans = [first, *submitted(first, 0, 0.1), server, attempt]
    assert seconds(Timelines(Recording(spans, [])).of[first.id]) == pytest.approx(expected)


def test_round_trip_is_fastest_success_despite_burst_and_error() -> None:
    burst = [operation(2, 9, None) for _ in range(20)]
    refused = operation(9, 10)
    stage = span("submit", 9, 10, refused)
    attempt = span("POST /api/v1/x", 9, 9.1, stage, attributes={"error.type": "503"})
    quick = operation(10, 11)
    spans = [*burst, *(stage for sample in burst for stage in submitted(sample, 2, 6))]
    spans += [refused, stage, attempt, quick, *submitted(quick, 10, 10.5)]
    assert Timelines(Recording(spans, [])).round_trip == 0.5 * SECOND


def test_two_simultaneous_waits_share_time_equally() -> None:
    first, second = operation(0, 2, None), operation(0, 2, None)
    spans = [first, second, *submitted(first, 0, 2), span("server", 0, 2, second)]
    spans += [span("wait", 0, 2, waited, thread="MainThread") for waited in (first, second)]
    result = summarize(Recording(spans, []))
    assert result.total == 2
    assert result.seconds[Category.NETWORK] == result.seconds[Category.COMPUTE] == 1


def test_time_without_wait_is_users_own_code() -> None:
    first, later = operation(0, 3, None), operation(5, 6, None)
    spans = [first, span("server", 0, 3, first), later, span("server", 5, 6, later)]
    spans += [span("wait", 2, 3, first, thread="MainThread")]
    spans += [span("wait", 5, 6, later, thread="MainThread")]
    result = summarize(Recording(spans, []))
    assert result.seconds[Category.OWN] == 4
    assert result.own_while_idle == 2
    assert "for 2 s of it no request was in flight" in result.verdict


def test_paint_replaces_earlier_segments() -> None:
    timeline = Timeline([Segment(0, 10, Category.CLIENT)])
    timeline.paint(2, 4, Category.NETWORK)
    timeline.paint(3, 6, Category.PAUSE)
    timeline.paint(7, 7, Category.QUEUE)
    assert timeline.segments == [
        Segment(0, 2, Category.CLIENT),
        Segment(2, 3, Category.NETWORK),
        Segment(3, 6, Category.PAUSE),
        Segment(6, 10, Category.CLIENT),
    ]
    assert timeline.between(3, 7) == [Segment(3, 6, Category.PAUSE), Segment(6, 7, Category.CLIENT)]
