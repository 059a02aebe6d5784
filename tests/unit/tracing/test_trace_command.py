"""`tinker-ext trace` with recordings of runs against a fake server."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

import tinker_ext as tinker
from tests.builders import DATUM
from tinker_ext import tracing
from tinker_ext.cli.main import program
from tinker_ext.install_hints import install_hint
from tinker_ext.testing import FakeServer, Reply, make_client
from tinker_ext.trace_report.recordings import read_recording

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording of two steps, a retry, a failure and three concurrent samples."""
    path = tmp_path / "run.jsonl"
    server = FakeServer()
    server.respond("forward_backward", Reply(503, None, {"Retry-After": "0.05"}))
    server.respond("save_weights", Reply(400, {"detail": "no"}))
    with make_client(server, trace_file=path) as service:
        training = service.create_lora_training_client("fake/model", rank=4)
        for number in range(2):
            with tinker.step(number):
                training.forward_backward([DATUM], "cross_entropy").result(30)
                training.optim_step(tinker.AdamParams()).result(30)
        with pytest.raises(tinker.BadRequestError):
            training.save_state("name").result(30)
        sampler = training.save_weights_and_get_sampling_client()
        params = tinker.SamplingParams(max_tokens=4)
        samples = [sampler.sample(DATUM.model_input, 1, params) for _ in range(3)]
        assert [sample.result(30).sequences for sample in samples]
    tracing.stop_recording()
    return path


def test_recording_distinguishes_user_threads_from_loop_thread(recording: Path) -> None:
    spans = read_recording(recording).spans
    assert {span.on_users_thread for span in spans if span.name == "tinker.submit"} == {False}
    assert True in {span.on_users_thread for span in spans if span.name == "tinker.wait"}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(program, ["trace", *map(str, arguments)])


def test_summary_prints_table(recording: Path) -> None:
    result = run("summary", recording)
    assert result.exit_code == 0
    assert "server compute" in result.stdout
    rows = [[cell.strip() for cell in line.split("│")] for line in result.stdout.splitlines()]
    counts = {row[1]: row[2:5] for row in rows if len(row) > 5}
    assert counts["forward_backward"] == ["2", "0", "1"]
    assert counts["save_weights"] == ["1", "1", "0"]
    assert "2 steps" in result.stdout
    assert "went to" in result.stdout.splitlines()[-1]


def test_summary_prints_json(recording: Path) -> None:
    summary = json.loads(run("summary", recording, "--format", "json").stdout)
    assert sum(summary["seconds"].values()) == pytest.approx(summary["total"])
    assert summary["seconds"]["pauses"] > 0
    counts = {operation["name"]: operation["count"] for operation in summary["operations"]}
    assert counts["sample"] == 3
    assert counts["forward_backward"] == 2
    assert set(summary["steps"]) == {"0", "1"}
    assert summary["unfinished"] == []


def test_export_has_every_span_in_lanes_without_overlap(recording: Path) -> None:
    result = run("export", recording)
    target = recording.with_suffix(".trace.json")
    assert result.exit_code == 0
    assert str(target) in result.stdout
    events = json.loads(target.read_text())["traceEvents"]
    spans = [line for line in recording.read_text().splitlines() if '"kind":"span"' in line]
    assert sum(event["ph"] in "Xb" for event in events) == len(spans)
    lanes = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    assert set(lanes.values()) >= {"forward_backward 1", "your code (MainThread)"}
    assert {event["name"] for event in events if event["ph"] == "i"} == {"retry", "gave_up"}
    for tid, name in lanes.items():
        outer = sorted(
            (event["ts"], event["ts"] + event["dur"])
            for event in events
            if event["ph"] == "X" and event["tid"] == tid and f"{event['name']} " in f"{name} "
        )
        assert all(first[1] <= second[0] for first, second in itertools.pairwise(outer)), name


def test_export_prints_file_and_span_count_as_json(recording: Path, tmp_path: Path) -> None:
    target = tmp_path / "spans.json"
    record = json.loads(run("export", recording, "-o", target, "-f", "json").stdout)
    spans = [line for line in recording.read_text().splitlines() if '"kind":"span"' in line]
    assert record == {"file": str(target), "spans": len(spans)}


def test_plot_writes_png(recording: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    target = tmp_path / "picture.png"
    result = run("plot", recording, "-o", target)
    assert result.exit_code == 0
    content = target.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = int.from_bytes(content[16:20]), int.from_bytes(content[20:24])
    assert width > 1000
    assert height > 300


def test_plot_wraps_long_verdict(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    from tinker_ext.trace_report.plot import build_figure
    from tinker_ext.trace_report.summary import Summary

    monkeypatch.setattr(Summary, "verdict", "word " * 50)
    figure = build_figure(read_recording(recording))
    figure.draw_without_rendering()
    [axes] = figure.axes
    box = axes.get_tightbbox()
    assert box is not None
    left, low, right, high = box.extents
    assert left >= 0
    assert low >= 0
    assert right <= figure.bbox.width
    assert high <= figure.bbox.height


WITHOUT_MATPLOTLIB = """
import sys
sys.modules["matplotlib"] = None
from tinker_ext.cli.main import main
main()
"""


def test_plot_without_matplotlib_names_extra_to_install(recording: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_MATPLOTLIB, "trace", "plot", str(recording)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr == f"Error: Drawing needs matplotlib: {install_hint('plot')}\n"


def test_summary_of_truncated_recording_lists_unfinished_operation(recording: Path) -> None:
    lines = recording.read_text().splitlines()
    ends = [i for i, line in enumerate(lines) if '"name":"tinker.sample"' in line]
    recording.write_text("\n".join(lines[: ends[-1]]) + "\n" + lines[ends[-1]][:40])
    result = run("summary", recording)
    assert result.exit_code == 0
    assert "sample was unfinished after" in result.stdout
    assert "Skipped 1 unreadable line." in result.stdout


def test_summary_rejects_file_that_is_not_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_text("hello\n")
    result = run("summary", path)
    assert result.exit_code == 1
    assert "is not a recording" in result.stderr


def test_unwritable_trace_file_raises_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(tinker.ConfigurationError, match="can't be written"):
        make_client(FakeServer(), trace_file=tmp_path / "missing" / "run.jsonl")


def test_two_clients_share_recording(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    for _ in range(2):
        with make_client(FakeServer(), trace_file=path) as service:
            service.get_server_capabilities()
    tracing.stop_recording()
    kinds = [json.loads(line)["kind"] for line in path.read_text().splitlines()]
    assert (kinds.count("recording"), kinds.count("begin")) == (1, 2)


def test_recording_works_without_sdk(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    script = """
import sys
sys.modules["opentelemetry.sdk"] = None
from tinker_ext.testing import FakeServer, make_client
with make_client(FakeServer()) as service:
    service.get_server_capabilities()
"""
    subprocess.run(
        [sys.executable, "-c", script],
        env={"TINKER_EXT_TRACE": str(path), "PATH": ""},
        check=True,
        timeout=60,
    )
    assert '"name":"tinker.get_server_capabilities"' in path.read_text()
