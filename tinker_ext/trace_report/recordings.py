"""Reads recordings, complete or truncated, of one process or several."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from attrs import field, frozen

from tinker_ext.tracing.names import STEP_SPAN, Stage, span_name

#: The client's own thread; a wait there is not a wait of the user.
LOOP_THREAD = "tinker-ext-loop"


@frozen
class Event:
    """An event of a span; `time` in nanoseconds since 1970."""

    name: str
    time: int
    attributes: Mapping[str, Any]


@frozen
class SpanRecord:
    """A span; times in nanoseconds since 1970.

    The `end` of an unfinished span is the last time in the recording.
    """

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
    """The spans of a run, ordered by start; `unfinished` are operations without an end."""

    spans: list[SpanRecord]
    unfinished: list[SpanRecord]
    broken_lines: int = 0


def read_recording(path: Path) -> Recording:
    """Read a recording; count lines that are not valid JSON (full disk, killed process).

    Raises:
        OSError: the file can't be read.
        ValueError: the file contains no line of a recording.
    """
    spans: list[SpanRecord] = []
    pending: dict[str, dict[str, Any]] = {}
    broken = valid = 0
    with path.open("rb") as file:
        for text in file:
            try:
                line = orjson.loads(text)
                kind = line["kind"]
                if kind == "begin":
                    pending[line["id"]] = line
                elif kind == "span":
                    pending.pop(line["id"], None)
                    spans.append(_span(line))
            except (ValueError, KeyError, TypeError):
                broken += 1
            else:
                valid += 1
    if not valid:
        raise ValueError(f"{path} is not a recording")
    starts = [line["start"] for line in pending.values()]
    last = max([span.end for span in spans] + starts, default=0)
    unfinished = [_span({**line, "end": last}) for line in pending.values()]
    spans.sort(key=lambda span: span.start)
    return Recording(spans, unfinished, broken)


class RecordingTail:
    """Reads the spans that this process adds to a recording from now on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = path.stat().st_size if path.exists() else 0
        self._spans: list[SpanRecord] = []

    def last_step(self) -> Recording | None:
        """The spans within the latest `tinker.step` that has ended since the previous call.

        None if none has ended, or if the recording can't be read.
        """
        try:
            self._read()
        except OSError:
            return None
        step = next((span for span in reversed(self._spans) if span.is_step), None)
        if step is None:
            return None
        inside = [span for span in self._spans if step.start <= span.start <= span.end <= step.end]
        self._spans = [span for span in self._spans if span.start > step.end]
        return Recording(sorted(inside, key=lambda span: span.start), [])

    def _read(self) -> None:
        with self._path.open("rb") as file:
            file.seek(self._position)
            for text in file:
                if not text.endswith(b"\n"):
                    break
                self._position += len(text)
                with suppress(ValueError, KeyError, TypeError):  # Of a full disk.
                    line = orjson.loads(text)
                    if line["kind"] == "span" and line["process"] == os.getpid():
                        self._spans.append(_span(line))


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


@frozen
class Lane:
    """Operations of one name that do not overlap, in order."""

    name: str
    spans: list[SpanRecord] = field(factory=list)

    def has_room(self, span: SpanRecord) -> bool:
        return not self.spans or self.spans[-1].end <= span.start


def lanes(recording: Recording) -> list[Lane]:
    """Distribute the operations over lanes: per name, as many as ever overlap.

    Nested operations (a session's creation, the two halves of a custom loss) have separate lanes.
    Names are ordered by their first operation.
    """
    by_name: dict[str, list[Lane]] = defaultdict(list)
    spans = [span for span in [*recording.spans, *recording.unfinished] if span.is_operation]
    for span in sorted(spans, key=lambda span: span.start):
        name = span.name.removeprefix("tinker.")
        lane = next((lane for lane in by_name[name] if lane.has_room(span)), None)
        if lane is None:
            lane = Lane(name)
            by_name[name].append(lane)
        lane.spans.append(span)
    return [lane for group in by_name.values() for lane in group]
