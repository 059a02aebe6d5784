"""Reads recordings, complete or truncated, of one process or several."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from attrs import evolve, field, frozen

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
    """The spans of a run, ordered by start.

    Attributes:
        unfinished: operations without an end.
        broken_lines: lines of the file that are not valid JSON.
        run: the position of the run in the file, from 1.
        runs: the number of runs in the file.
    """

    spans: list[SpanRecord]
    unfinished: list[SpanRecord]
    broken_lines: int = 0
    run: int = 1
    runs: int = 1

    @property
    def processes(self) -> list[int]:
        """The ids of the processes with spans, in the order of their first span."""
        spans = sorted([*self.spans, *self.unfinished], key=lambda span: span.start)
        return list(dict.fromkeys(span.process for span in spans))

    def of_process(self, process: int) -> Recording:
        """The part of one process."""
        return evolve(
            self,
            spans=[span for span in self.spans if span.process == process],
            unfinished=[span for span in self.unfinished if span.process == process],
        )


class _Process:
    """The lines of one process."""

    def __init__(self, process: int, parent: _Process | None, start: int) -> None:
        self.process = process
        self.parent = parent
        self.start = self.end = start
        self.spans: list[SpanRecord] = []
        self.pending: dict[str, dict[str, Any]] = {}

    def add(self, line: dict[str, Any]) -> None:
        self.start = min(self.start, line["start"])
        self.end = max(self.end, line.get("end", line["start"]))
        if line["kind"] == "begin":
            self.pending[line["id"]] = line
        else:
            self.spans.append(_span(line))
            self.pending.pop(line["id"], None)


def read_recording(path: Path, run: int | None = None) -> Recording:
    """Read a run of a recording, by default the latest.

    Processes belong to the same run if one started the other, or if they ran at the same time.
    Lines that are not valid JSON (full disk, killed process) are counted.

    Raises:
        OSError: the file can't be read.
        ValueError: the file contains no line of a recording, or does not have that many runs.
    """
    processes, broken = _read_processes(path)
    if not processes:
        raise ValueError(f"{path} is not a recording")
    runs = _find_runs(processes)
    number = len(runs) if run is None else run
    if not 1 <= number <= len(runs):
        raise ValueError(f"{path} has no run {number}, only 1 to {len(runs)}")
    members = runs[number - 1]
    last = max(process.end for process in members)
    spans = [span for process in members for span in process.spans]
    pending = [line for process in members for line in process.pending.values()]
    return Recording(
        sorted(spans, key=lambda span: span.start),
        [_span({**line, "end": last}) for line in pending],
        broken,
        number,
        len(runs),
    )


def _read_processes(path: Path) -> tuple[list[_Process], int]:
    """The processes in the order of their first line, and the number of broken lines."""
    processes: list[_Process] = []
    # A later process may have the id of an earlier one.
    current: dict[int, _Process] = {}
    broken = 0
    with path.open("rb") as file:
        for text in file:
            try:
                line = orjson.loads(text)
                kind, process, start = line["kind"], line["process"], line["start"]
                if kind == "recording" or process not in current:
                    parent = current.get(line.get("parent")) if kind == "recording" else None
                    current[process] = _Process(process, parent, start)
                    processes.append(current[process])
                if kind in ("begin", "span"):
                    current[process].add(line)
            except (ValueError, KeyError, TypeError):
                broken += 1
    return processes, broken


def _find_runs(processes: list[_Process]) -> list[list[_Process]]:
    """The processes of each run, ordered by the start of the runs."""
    runs: list[list[_Process]] = []
    for process in sorted(processes, key=lambda process: process.start):
        joined = [
            run
            for run in runs
            if any(process.parent is other or process.start <= other.end for other in run)
        ]
        runs = [run for run in runs if all(run is not other for other in joined)]
        runs.append([*(other for run in joined for other in run), process])
    return sorted(runs, key=lambda run: run[0].start)


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
