"""What the summary infers of a server that it can't look into, on recordings made by hand."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tinker_ext.trace_report.recordings import LOOP_THREAD, Event, Recording, SpanRecord
from tinker_ext.trace_report.summary import summarize
from tinker_ext.trace_report.timeline import Category, Segment, Timeline, Timelines

SECOND = 1_000_000_000
ids = map(str, itertools.count(1))


def span(
    name: str, start: float, end: float, parent: SpanRecord | None = None, **more: Any
) -> SpanRecord:
    """A span with times in seconds."""
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


def seconds(line: Timeline) -> dict[Category, float]:
    result: dict[Category, float] = {}
    for piece in line.pieces:
        result[piece.where] = result.get(piece.where, 0) + (piece.end - piece.start) / SECOND
    return result


def submitted(of: SpanRecord, start: float, end: float) -> list[SpanRecord]:
    stage = span("submit", start, end, of)
    return [stage, span("POST /api/v1/forward_backward", start, end, stage)]


def test_until_it_is_accepted_it_is_network_then_the_servers() -> None:
    one = operation(0, 4)
    server = span("server", 1, 4, one, events=(poll(2, "paused_capacity"), poll(3, "active")))
    spans = [one, *submitted(one, 0, 1), server]
    line = Timelines(Recording(spans, [])).of[one.id]
    assert seconds(line) == {Category.NETWORK: 1, Category.QUEUE: 2, Category.COMPUTE: 1}


def test_behind_an_earlier_request_of_the_same_model_it_is_where_that_one_is() -> None:
    first, second = operation(0, 5), operation(0, 6)
    told = span("server", 1, 5, first, events=(poll(1.5, "paused_rate_limit"), poll(3, "active")))
    spans = [first, second, *submitted(first, 0, 1), *submitted(second, 1, 1.5), told]
    spans.append(span("server", 1.5, 6, second))
    line = Timelines(Recording(spans, [])).of[second.id]
    assert seconds(line)[Category.QUEUE] == 1.5
    assert seconds(line)[Category.COMPUTE] == 3


def test_another_model_is_not_waited_for() -> None:
    first, second = operation(0, 5), operation(0, 6, "other")
    told = span("server", 0, 5, first, events=(poll(1, "paused_capacity"),))
    spans = [first, second, told, span("server", 0, 6, second)]
    assert seconds(Timelines(Recording(spans, [])).of[second.id]) == {Category.COMPUTE: 6}


def test_a_turn_is_where_the_earlier_submission_is() -> None:
    first, second = operation(0, 3), operation(0, 4)
    submit = span("submit", 0, 3, first)
    spans = [first, second, submit, span("POST /api/v1/x", 0, 1, submit)]
    spans += [span("pause", 1, 2, submit), span("POST /api/v1/x", 2, 3, submit)]
    spans += [span("wait_turn", 0, 3, second), *submitted(second, 3, 4)]
    line = Timelines(Recording(spans, [])).of[second.id]
    assert seconds(line) == {Category.NETWORK: 3, Category.PAUSE: 1}


@pytest.mark.parametrize(
    ("took", "expected"),
    [(0.1, {Category.NETWORK: 0.2}), (0.9, {Category.NETWORK: 0.1, Category.COMPUTE: 0.9})],
    ids=["found ready", "held by the server"],
)
def test_a_poll_as_short_as_a_round_trip_found_the_result_ready(
    took: float, expected: dict[Category, float]
) -> None:
    one = operation(0, 0.1 + took)
    server = span("server", 0.1, 0.1 + took, one)
    asked = span("POST /api/v1/retrieve_future", 0.1, 0.1 + took, server)
    spans = [one, *submitted(one, 0, 0.1), server, asked]
    assert seconds(Timelines(Recording(spans, [])).of[one.id]) == pytest.approx(expected)


def test_a_round_trip_is_the_quickest_answer_whatever_a_burst_or_a_refusal_took() -> None:
    burst = [operation(2, 9, None) for _ in range(20)]
    refused = operation(9, 10)
    stage = span("submit", 9, 10, refused)
    attempt = span("POST /api/v1/x", 9, 9.1, stage, attributes={"error.type": "503"})
    quick = operation(10, 11)
    spans = [*burst, *(part for item in burst for part in submitted(item, 2, 6))]
    spans += [refused, stage, attempt, quick, *submitted(quick, 10, 10.5)]
    assert Timelines(Recording(spans, [])).round_trip == 0.5 * SECOND


def test_two_waits_at_once_count_half_each() -> None:
    first, second = operation(0, 2, None), operation(0, 2, None)
    spans = [first, second, *submitted(first, 0, 2), span("server", 0, 2, second)]
    spans += [span("wait", 0, 2, item, thread="MainThread") for item in (first, second)]
    result = summarize(Recording(spans, []))
    assert result.total == 2
    assert result.seconds[Category.NETWORK] == result.seconds[Category.COMPUTE] == 1


def test_what_nobody_waits_for_is_the_users_own_time() -> None:
    one, later = operation(0, 3, None), operation(5, 6, None)
    spans = [one, span("server", 0, 3, one), later, span("server", 5, 6, later)]
    spans += [span("wait", 2, 3, one, thread="MainThread")]
    spans += [span("wait", 5, 6, later, thread="MainThread")]
    result = summarize(Recording(spans, []))
    assert result.seconds[Category.OWN] == 4
    assert result.own_while_idle == 2
    assert "for 2 s of it no request was under way" in result.verdict


def test_painting_covers_what_was_there() -> None:
    line = Timeline([Segment(0, 10, Category.CLIENT)])
    line.paint(2, 4, Category.NETWORK)
    line.paint(3, 6, Category.PAUSE)
    line.paint(7, 7, Category.QUEUE)
    assert line.pieces == [
        Segment(0, 2, Category.CLIENT),
        Segment(2, 3, Category.NETWORK),
        Segment(3, 6, Category.PAUSE),
        Segment(6, 10, Category.CLIENT),
    ]
    assert line.between(3, 7) == [Segment(3, 6, Category.PAUSE), Segment(6, 7, Category.CLIENT)]
