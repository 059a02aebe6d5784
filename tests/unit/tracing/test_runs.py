"""Recordings with several runs and several processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tinker_ext import tokenizers, tracing
from tinker_ext.cli.main import program
from tinker_ext.trace_report.recordings import read_recording
from tinker_ext.trace_report.summary import summarize

SECOND = 10**9


def header(process: int, start: int, *, parent: int | None = None) -> dict[str, Any]:
    line: dict[str, Any] = {
        "kind": "recording",
        "format": 1,
        "process": process,
        "start": start * SECOND,
    }
    return line if parent is None else {**line, "parent": parent}


def sample(process: int, start: int, end: int, *, pending: bool = False) -> dict[str, Any]:
    line: dict[str, Any] = {
        "kind": "begin" if pending else "span",
        "name": "tinker.sample",
        "trace": "t",
        "id": f"{process}-{start}",
        "parent": None,
        "span_kind": "client",
        "process": process,
        "thread": "MainThread",
        "start": start * SECOND,
        "attributes": {},
    }
    return line if pending else {**line, "end": end * SECOND}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def write(path: Path, *lines: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def starts(path: Path, run: int | None = None) -> list[int]:
    return [span.start // SECOND for span in read_recording(path, run).spans]


def test_run_that_begins_after_the_end_of_another_is_separate(path: Path) -> None:
    write(path, header(1, 0), sample(1, 1, 2), header(2, 10), sample(2, 11, 12))
    assert starts(path) == [11]
    assert starts(path, 1) == [1]
    latest = read_recording(path)
    assert (latest.run, latest.runs) == (2, 2)
    with pytest.raises(ValueError, match="no run 3, only 1 to 2"):
        read_recording(path, 3)


def test_later_process_with_the_id_of_an_earlier_one_is_another_run(path: Path) -> None:
    write(path, header(7, 0), sample(7, 1, 2), header(7, 10), sample(7, 11, 12))
    assert (starts(path, 1), starts(path, 2)) == ([1], [11])


def test_processes_that_ran_at_the_same_time_are_one_run(path: Path) -> None:
    write(path, header(1, 0), header(2, 1), sample(2, 2, 5), sample(1, 4, 8), header(3, 9))
    assert starts(path, 1) == [2, 4]
    assert read_recording(path, 1).processes == [2, 1]
    assert read_recording(path).runs == 2


def test_child_processes_belong_to_the_run_of_their_parent(path: Path) -> None:
    write(
        path,
        header(1, 0, parent=99),
        header(2, 5, parent=1),
        sample(2, 5, 6),
        header(3, 20, parent=1),
        sample(3, 20, 21),
    )
    recording = read_recording(path)
    assert (recording.runs, starts(path)) == (1, [5, 20])
    assert recording.of_process(3).spans == recording.spans[1:]


def test_unfinished_operation_ends_with_its_own_run(path: Path) -> None:
    write(path, sample(1, 1, 0, pending=True), sample(1, 2, 4), header(2, 50), sample(2, 51, 52))
    (unfinished,) = read_recording(path, 1).unfinished
    assert unfinished.seconds == 3
    assert read_recording(path).unfinished == []


def run(*arguments: object) -> str:
    result = CliRunner().invoke(program, ["trace", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_commands_name_the_number_of_runs_and_select_one(path: Path) -> None:
    write(path, header(1, 0), sample(1, 1, 2), header(2, 10), sample(2, 11, 14))
    assert "This is run 2 of 2 in the file; --run selects a run." in run("summary", path)
    assert "run 1 of 2" in run("export", path, "--run", 1)
    assert "run 2 of 2" in run("plot", path)
    record = json.loads(run("summary", path, "--run", 1, "-f", "json"))
    assert (record["run"], record["runs"], record["total"]) == (1, 2, 1.0)
    failed = CliRunner().invoke(program, ["trace", "summary", str(path), "--run", "3"])
    assert "has no run 3" in failed.stderr


def test_summary_of_several_processes_has_a_line_for_each(path: Path) -> None:
    write(path, header(1, 0), header(2, 0), sample(1, 1, 3), sample(2, 2, 7), sample(2, 7, 8))
    text = run("summary", path)
    rows = [[cell.strip() for cell in line.split("│")] for line in text.splitlines()]
    assert ["1", "2.000", "1", "0"] in [row[1:5] for row in rows]
    assert ["2", "6.000", "2", "0"] in [row[1:5] for row in rows]
    assert "run 1 of" not in text
    record = json.loads(run("summary", path, "-f", "json"))
    assert {name: part["total"] for name, part in record["processes"].items()} == {
        "1": 2.0,
        "2": 6.0,
    }


def test_forked_process_writes_a_header_of_its_own(path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from tinker_ext import tracing\n"
        "tracing.record_to(Path(sys.argv[1]))\n"
        "child = os.fork()\n"
        "with tracing.step(0): pass\n"
        "if child: os.waitpid(child, 0)\n"
    )
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    headers = [line for line in lines if line["kind"] == "recording"]
    assert headers[1]["parent"] == headers[0]["process"]
    recording = read_recording(path)
    assert (len(recording.processes), recording.runs) == (2, 1)


def test_loading_a_tokenizer_is_a_span_of_the_client(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizers, "_load_first", lambda *_: "a tokenizer")
    tokenizers._cached.cache_clear()
    tracing.record_to(path)
    try:
        for _ in range(2):
            tokenizers.get_tokenizer("fake/model")
    finally:
        tracing.stop_recording()
        tokenizers._cached.cache_clear()
    recording = read_recording(path)
    (span,) = [span for span in recording.spans if span.name == "tinker.load_tokenizer"]
    assert span.attributes == {"gen_ai.request.model": "fake/model"}
    assert summarize(recording).total == pytest.approx(span.seconds)
