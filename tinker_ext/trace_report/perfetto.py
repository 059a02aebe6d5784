"""Exports a recording as a Chrome trace, which Perfetto also reads.

The format is the "Trace Event Format" of the Chromium project: complete events (X) on a thread,
which represents a lane; asynchronous events (b, e); instants (i); and lane names (M). Times are in
microseconds.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinker_ext.trace_report.recordings import Recording, SpanRecord, lanes
from tinker_ext.tracing.names import Stage


def write_chrome_trace(recording: Recording, target: Path) -> int:
    """Write the spans of `recording` to `target`; return their number."""
    placed = list(_placed(recording))
    start = min((span.start for span, _ in placed), default=0)
    in_order = dict.fromkeys(lane for _, lane in placed)
    lanes_by_name = {name: number for number, name in enumerate(in_order)}
    events = [_head(number, name) for name, number in lanes_by_name.items()]
    for span, lane in placed:
        common = {"pid": 1, "tid": lanes_by_name[lane]}
        events += ({**event, **common} for event in _events(span, start))
        events += ({**event, **common} for event in _instants(span, start))
    target.write_text(json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}))
    return len(placed)


def _placed(recording: Recording) -> Iterator[tuple[SpanRecord, str]]:
    """Each span with its lane; stages share the lane of their operation."""
    children: dict[str | None, list[SpanRecord]] = defaultdict(list)
    for span in recording.spans:
        children[span.parent].append(span)
    for span in recording.spans:
        if span.is_step:
            yield span, _user_lane(span)
    counts: dict[str, int] = defaultdict(int)
    for lane in lanes(recording):
        counts[lane.name] += 1
        name = f"{lane.name} {counts[lane.name]}"
        for operation in lane.spans:
            yield operation, name
            yield from _below(operation, children, name)


def _below(
    span: SpanRecord, children: dict[str | None, list[SpanRecord]], lane: str
) -> Iterator[tuple[SpanRecord, str]]:
    for child in children[span.id]:
        if child.is_operation:
            continue  # Has its own lane.
        child_lane = _user_lane(child) if child.end > span.end else lane
        yield child, child_lane
        yield from _below(child, children, child_lane)


def _user_lane(span: SpanRecord) -> str:
    return f"your code ({span.thread})"


def _events(span: SpanRecord, start: int) -> Iterator[dict[str, Any]]:
    head = {
        "name": span.name.removeprefix("tinker."),
        "cat": span.kind,
        "args": dict(span.attributes),
    }
    if not span.is_stage(Stage.WAIT):
        duration = (span.end - span.start) / 1e3
        yield {**head, "ph": "X", "ts": (span.start - start) / 1e3, "dur": duration}
        return
    # Coroutines of one thread can wait at the same time; asynchronous events need not be nested.
    for phase, time in (("b", span.start), ("e", span.end)):
        yield {**head, "ph": phase, "id": span.id, "ts": (time - start) / 1e3}


def _instants(span: SpanRecord, start: int) -> Iterator[dict[str, Any]]:
    for event in span.events:
        yield {
            "name": event.name.removeprefix("tinker."),
            "ph": "i",
            "s": "t",
            "ts": (event.time - start) / 1e3,
            "args": dict(event.attributes),
        }


def _head(number: int, name: str) -> dict[str, Any]:
    head = {"name": "thread_name", "ph": "M", "pid": 1, "tid": number}
    return {**head, "args": {"name": name}}
