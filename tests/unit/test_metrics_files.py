"""`tinker_ext.metrics`: the file, writers, times of steps, and `tinker-ext run plot`."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tinker_ext import metrics, tracing
from tinker_ext.cli.main import program
from tinker_ext.metrics.plot import choose
from tinker_ext.testing import FakeServer, make_client


class Recorded:
    """A writer that keeps what it receives, or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        self.steps: list[tuple[int, Mapping[str, float]]] = []
        self.fails, self.closed = fails, False

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        if self.fails:
            raise ConnectionError("no network")
        self.steps.append((step, metrics))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "metrics.jsonl"


def test_metrics_are_appended_and_the_last_line_of_a_step_counts(path: Path) -> None:
    for offset in (0.0, 10.0):
        with metrics.Logger(path) as logger:
            for step in range(1, 3):
                logger.log(step, {"loss": np.float32(offset + step)})
    with path.open("a") as file:
        file.write('{"step": 9, "met')  # A killed process.
    assert metrics.read_metrics(path) == {1: {"loss": 11.0}, 2: {"loss": 12.0}}
    lines = path.read_text().splitlines()
    assert len(lines) == 5
    assert json.loads(lines[0]).keys() == {"step", "time", "metrics"}


def test_not_a_number_is_stored_and_read(path: Path) -> None:
    with metrics.Logger(path) as logger:
        logger.log(1, {"loss": math.nan, "peak": math.inf})
    read = metrics.read_metrics(path)[1]
    assert math.isnan(read["loss"])
    assert read["peak"] == math.inf


def test_writers_receive_all_metrics_and_a_failing_one_is_reported_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failing, writer = Recorded(fails=True), Recorded()
    with (
        caplog.at_level(logging.WARNING, "tinker_ext.metrics"),
        metrics.Logger(path, failing, writer) as logger,
    ):
        logger.log(1, {"loss": 2})
        logger.log(2, {"loss": 1})
    assert writer.steps == [(1, {"loss": 2.0}), (2, {"loss": 1.0})]
    assert writer.closed
    assert [record.message for record in caplog.records] == [
        "Recorded failed, the file has the metrics: no network"
    ]
    assert len(metrics.read_metrics(path)) == 2


def test_value_that_is_not_a_number_is_rejected(path: Path) -> None:
    with (
        metrics.Logger(path) as logger,
        pytest.raises(tinker.InvalidInputError, match=r"metrics\['name'\]: expected a number"),
    ):
        logger.log(1, {"name": "x"})  # type: ignore[dict-item]


@pytest.mark.parametrize("step", [None, 1.5, "1", -1, True])
def test_step_that_is_not_an_integer_is_rejected_and_the_file_stays_readable(
    path: Path, step: Any
) -> None:
    number: Any = np.int64(2)
    with metrics.Logger(path) as logger:
        with pytest.raises(tinker.InvalidInputError, match="step: expected an integer"):
            logger.log(step, {"loss": 1.0})
        logger.log(number, {"loss": 2.0})
    assert metrics.read_metrics(path) == {2: {"loss": 2.0}}


def test_file_of_another_program_is_rejected(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"kind": "samples"}\n')
    with pytest.raises(tinker.InvalidInputError, match="line 1 has no metrics"):
        metrics.Logger(path)
    with pytest.raises(tinker.InvalidInputError, match="line 1 has no metrics"):
        metrics.read_metrics(path)


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "trace.jsonl"
    tracing.record_to(file)
    yield file
    tracing.stop_recording()


def test_times_of_a_recorded_step_add_up_to_its_duration(path: Path, recording: Path) -> None:
    with make_client(FakeServer()) as service, metrics.Logger(path) as logger:
        sampler = service.create_sampling_client(base_model="fake/model")
        for step in range(2):
            with tinker.step(step):
                sampler.sample(PROMPT, 1, PARAMS).result()
            logger.log(step, {})
        logger.log(2, {})
    first, second, without = metrics.read_metrics(path).values()
    assert without == {}, "no step has ended since"
    for times in (first, second):
        parts = sum(value for name, value in times.items() if name != "time/step")
        assert times["time/step"] > 0
        assert parts == pytest.approx(times["time/step"])
        assert "time/server_compute" in times


def test_times_ignore_lines_of_other_processes_and_broken_lines(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    times = metrics.StepTimes(file)
    assert times.read() == {}, "there is no file yet"
    span = {
        "kind": "span", "name": "tinker.step", "id": "1", "parent": None, "span_kind": "internal",
        "process": -1, "thread": "main", "start": 0, "end": 10**9, "attributes": {"tinker.step": 0},
    }  # fmt: skip
    file.write_text(json.dumps(span) + "\n{broken\n")
    assert times.read() == {}


class FakeModule(ModuleType):
    """A module of one of the tools that records the calls of its functions."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(name)
        self.calls: list[tuple[str, Any, Any]] = []
        monkeypatch.setitem(sys.modules, name, self)

    def record(self, function: str, result: Any = None) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            self.calls.append((function, args, options))
            return result

        return call


def log_one(writer: metrics.Writer) -> None:
    writer.log(3, {"loss:sum": 0.5})
    writer.close()


def test_wandb_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    fake: Any = FakeModule("wandb", monkeypatch)
    run = SimpleNamespace(log=fake.record("log"), finish=fake.record("finish"))
    fake.init = fake.record("init", run)
    log_one(metrics.to_wandb("p", name="n", config={"rank": 8}, id="7", resume="allow"))
    options = {"project": "p", "name": "n", "config": {"rank": 8}, "id": "7", "resume": "allow"}
    assert fake.calls == [
        ("init", (), options),
        ("log", ({"loss:sum": 0.5},), {"step": 3}),
        ("finish", (), {}),
    ]


def test_trackio_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    fake: Any = FakeModule("trackio", monkeypatch)
    for name in ("init", "log", "finish"):
        setattr(fake, name, fake.record(name))
    log_one(metrics.to_trackio("p", config={"rank": 8}))
    assert fake.calls == [
        ("init", (), {"project": "p", "name": None, "config": {"rank": 8}}),
        ("log", ({"loss:sum": 0.5},), {"step": 3}),
        ("finish", (), {}),
    ]


def test_mlflow_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    fake: Any = FakeModule("mlflow.tracking", monkeypatch)
    entities: Any = FakeModule("mlflow.entities", monkeypatch)
    entities.Metric = lambda key, value, timestamp, step: (key, value, step)
    created = SimpleNamespace(info=SimpleNamespace(run_id="r"))
    names = ["log_param", "log_batch", "set_terminated"]
    client = SimpleNamespace(
        get_experiment_by_name=fake.record("get_experiment_by_name"),
        create_experiment=fake.record("create_experiment", "e"),
        create_run=fake.record("create_run", created),
        **{name: fake.record(name) for name in names},
    )
    fake.MlflowClient = lambda: client
    log_one(metrics.to_mlflow("words", name="n", config={"rank": 8}))
    assert fake.calls == [
        ("get_experiment_by_name", ("words",), {}),
        ("create_experiment", ("words",), {}),
        ("create_run", ("e",), {"run_name": "n"}),
        ("log_param", ("r", "rank", 8), {}),
        ("log_batch", ("r",), {"metrics": [("loss_sum", 0.5, 3)]}),
        ("set_terminated", ("r",), {}),
    ]


@pytest.mark.parametrize(
    ("package", "create"),
    [
        ("wandb", metrics.to_wandb),
        ("tensorboard", lambda: metrics.to_tensorboard("x")),
        ("mlflow", metrics.to_mlflow),
        ("trackio", lambda: metrics.to_trackio("p")),
    ],
)
def test_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, package: str, create: Any
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(tinker.ConfigurationError, match=f"pip install {package}"):
        create()


STEPS = {
    1: {"tokens": 9.0, "accuracy": 0.1, "time/step": 1.0, "loss": 3.0},
    2: {"tokens": 9.0, "accuracy": 0.4, "time/step": 2.0, "loss": 2.0},
}


def test_loss_is_drawn_first_times_last_and_constant_metrics_not_at_all() -> None:
    assert choose({"a": STEPS}) == ["loss", "accuracy", "time/step"]
    assert choose({"a": STEPS}, ["tokens"]) == ["tokens"]
    with pytest.raises(tinker.InvalidInputError, match="no run has the metric 'x'; it has: acc"):
        choose({"a": STEPS}, ["x"])
    with pytest.raises(tinker.InvalidInputError, match="no metric changes"):
        choose({"a": {1: {"loss": 1.0}}})


def test_run_plot_writes_a_picture_of_two_runs(tmp_path: Path) -> None:
    files = [str(tmp_path / f"{name}.jsonl") for name in "ab"]
    for file in files:
        with metrics.Logger(file) as logger:
            for step, values in STEPS.items():
                logger.log(step, values)
    result = CliRunner().invoke(program, ["run", "plot", *files])
    assert result.exit_code == 0, result.output
    picture = tmp_path / "a.png"
    assert result.stdout == f"Wrote {picture}: loss, accuracy, time/step\n"
    assert picture.read_bytes().startswith(b"\x89PNG")
    named = ["-f", "json", "run", "plot", files[0], "-m", "loss", "-o", str(tmp_path / "loss.svg")]
    result = CliRunner().invoke(program, named)
    assert json.loads(result.stdout)["metrics"] == ["loss"]
    assert "<svg" in (tmp_path / "loss.svg").read_text()


def test_run_plot_of_another_file_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "text.jsonl"
    file.write_text("hello\n")
    result = CliRunner().invoke(program, ["run", "plot", str(file)])
    assert result.exit_code == 1
    assert "line 1 has no metrics of a step" in result.stderr
