"""Reading a recording: what `recording` wrote, whole or cut short, from one process or several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from attrs import field, frozen

from tinker_ext.tracing.names import STEP_SPAN, Stage, span_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: The thread on which the client itself works; a wait there is not the user's.
LOOP_THREAD = "tinker-ext-loop"


@frozen
class Event:
    """Something that happened within a span; `time` in nanoseconds since 1970."""

    name: str
    time: int
    attributes: Mapping[str, Any]


@frozen
class SpanRecord:
    """One span; times in nanoseconds since 1970. `end` of one that never ended is the last seen."""

    name: str
    id: str
    parent: str | None
    kind: str
    process: int
    thread: str
    start: int
    end: int
    failed: bool = False
    attributes: Mapping[str, Any] = field(factory=dict)
    events: tuple[Event, ...] = ()

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / 1e9

    @property
    def is_operation(self) -> bool:
        return self.kind == "client" and self.name.startswith("tinker.")

    @property
    def is_step(self) -> bool:
        return self.name == STEP_SPAN

    @property
    def on_users_thread(self) -> bool:
        return self.thread != LOOP_THREAD

    def is_stage(self, stage: Stage) -> bool:
        return self.kind == "internal" and self.name == span_name(stage)


@frozen
class Recording:
    """The spans of a run, by their start; `unfinished` are the operations that never ended."""

    spans: list[SpanRecord]
    unfinished: list[SpanRecord]
    broken_lines: int = 0


def read_recording(path: Path) -> Recording:
    """Read a recording; lines that are no JSON (a full disk, a killed process) are counted.

    Raises:
        OSError: the file can't be read.
        ValueError: no line in it is of a recording.
    """
    spans: list[SpanRecord] = []
    begun: dict[str, dict[str, Any]] = {}
    broken = known = 0
    with path.open("rb") as file:
        for text in file:
            try:
                line = orjson.loads(text)
                kind = line["kind"]
                if kind == "begin":
                    begun[line["id"]] = line
                elif kind == "span":
                    begun.pop(line["id"], None)
                    spans.append(_span(line))
            except (ValueError, KeyError, TypeError):
                broken += 1
            else:
                known += 1
    if not known:
        raise ValueError(f"{path} is no recording of spans")
    last = max([span.end for span in spans] + [line["start"] for line in begun.values()], default=0)
    unfinished = [_span({**line, "end": last}) for line in begun.values()]
    spans.sort(key=lambda span: span.start)
    return Recording(spans, unfinished, broken)


def _span(line: dict[str, Any]) -> SpanRecord:
    return SpanRecord(
        name=line["name"],
        id=line["id"],
        parent=line["parent"],
        kind=line["span_kind"],
        process=line["process"],
        thread=line["thread"],
        start=line["start"],
        end=line["end"],
        failed=line.get("status") == "error",
        attributes=line["attributes"],
        events=tuple(
            Event(event["name"], event["time"], event["attributes"])
            for event in line.get("events", ())
        ),
    )
