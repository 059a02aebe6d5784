"""Writes metrics to a JSONL file and to other tools, and the times of steps among them.

The other tools are Weights & Biases, TensorBoard, MLflow and trackio, each used if it is installed.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self, SupportsFloat

from tinker_ext import tracing
from tinker_ext.clients.argument_checks import check_int
from tinker_ext.errors import ConfigurationError, InvalidInputError
from tinker_ext.json_lines import JsonLines, as_floats
from tinker_ext.trace_report.recordings import RecordingTail
from tinker_ext.trace_report.summary import summarize

log = logging.getLogger("tinker_ext.metrics")


class Writer(Protocol):
    """Another place for metrics; `to_wandb` and its like return one."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics of a step."""

    def close(self) -> None:
        """Write what is still buffered."""


class Logger:
    """Appends metrics to a JSONL file, and passes them on to writers.

    Each line is ``{"step": 7, "time": 1767225600.0, "metrics": {"loss": 0.5}}``, with the time in
    seconds since 1970. A later run appends to the file; `read_metrics` and the plot use the last
    line of a step. If the program records a trace (``TINKER_EXT_TRACE``), the metrics include the
    times of the step that ended last (`StepTimes`).

    A writer that fails is reported in the log once and used again for the next step.

    Args:
        path: the file, such as ``runs/a/metrics.jsonl``; created with its folders.
        writers: results of `to_wandb`, `to_tensorboard`, `to_mlflow`, `to_trackio`, or your own.

    Raises:
        InvalidInputError: the file has something else, or another program writes to it.
    """

    def __init__(self, path: str | os.PathLike[str], *writers: Writer) -> None:
        self._file = JsonLines(Path(path), where="path")
        self._writers = writers
        self._failed: set[int] = set()
        recorder = tracing.recorder()
        self._times = None if recorder is None else StepTimes(recorder.path)
        try:
            if not self._file.is_empty:
                _, first = next(self._file.lines())
                if not {"step", "metrics"} <= first.keys():
                    raise self._file.error("line 1 has no metrics; use another file")
        except BaseException:
            self._file.close()
            raise

    def log(self, step: int, metrics: Mapping[str, SupportsFloat]) -> None:
        """Write the metrics of a step.

        Raises:
            InvalidInputError: a value is not a number, or `step` is not an integer >= 0.
            OSError: the file can't be written.
        """
        check_int(step, 0, "step")
        values, step = as_floats(metrics), int(step)
        if self._times is None and (recorder := tracing.recorder()) is not None:
            self._times = StepTimes(recorder.path)
        if self._times is not None:
            values |= self._times.read()
        self._file.append({"step": step, "time": time.time(), "metrics": values})
        for writer in self._writers:
            with self._reported(writer):
                writer.log(step, values)

    @contextmanager
    def _reported(self, writer: Writer) -> Iterator[None]:
        """Log the failure of a writer, which must not stop a training run."""
        try:
            yield
        except Exception as error:
            level = logging.DEBUG if id(writer) in self._failed else logging.WARNING
            self._failed.add(id(writer))
            name = type(writer).__name__.lstrip("_")
            log.log(level, "%s failed, the file has the metrics: %s", name, error)

    def close(self) -> None:
        """Close the writers and the file."""
        for writer in self._writers:
            with self._reported(writer):
                writer.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class StepTimes:
    """The times of steps, as metrics, from the recording of a program that uses `tinker.step`.

    Args:
        recording: the file of ``TINKER_EXT_TRACE``. Only lines written from now on are read.
    """

    def __init__(self, recording: Path) -> None:
        self._tail = RecordingTail(recording)

    def read(self) -> dict[str, float]:
        """The times of the step that ended last, in seconds; empty if none has ended since.

        ``time/step`` is the total. The other names are those of `tinker-ext trace summary`, such as
        ``time/server_compute``, ``time/network`` and ``time/your_own_code``; they add up to the
        total.
        """
        recording = self._tail.last_step()
        if recording is None:
            return {}
        summary = summarize(recording)
        times = {
            f"time/{category.value.replace(' ', '_')}": seconds
            for category, seconds in summary.seconds.items()
        }
        return {"time/step": summary.total, **times}


def read_metrics(path: str | os.PathLike[str]) -> dict[int, dict[str, float]]:
    """The metrics of each step in a file of `Logger`, ordered by step; the last line counts.

    Raises:
        InvalidInputError: the file is not one of `Logger`; the message names the line.
        OSError: the file can't be read.
    """
    steps: dict[int, dict[str, float]] = {}
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n") and number > 1:
                break  # Being written, or left by a killed process.
            try:
                record = json.loads(line)
                steps.setdefault(int(record["step"]), {}).update(record["metrics"])
            except (ValueError, KeyError, TypeError):
                raise InvalidInputError(
                    f"line {number} has no metrics of a step", where=str(path)
                ) from None
    return dict(sorted(steps.items()))


#: Characters that MLflow does not accept in the name of a metric on all systems.
_NOT_IN_MLFLOW_NAMES = re.compile(r"[^\w./ -]")


def _require(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigurationError(
            f"{package} can't be imported ({error}): pip install {package}"
        ) from None


def to_wandb(
    project: str | None = None,
    *,
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
    **options: Any,
) -> Writer:
    """Write to Weights & Biases, as a new run or with ``id="..."`` an existing one.

    `options` are passed to `wandb.init`. W&B ignores a step that is lower than an earlier one, so
    the repeated steps of a recovered run keep their first values there.

    Raises:
        ConfigurationError: wandb is not installed.
    """
    wandb = _require("wandb", "wandb")
    return _Wandb(wandb.init(project=project, name=name, config=dict(config or {}), **options))


class _Wandb:
    def __init__(self, run: Any) -> None:
        self._run = run

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self._run.log(dict(metrics), step=step)

    def close(self) -> None:
        self._run.finish()


def to_tensorboard(folder: str | os.PathLike[str]) -> Writer:
    """Write event files for TensorBoard to a folder. torch and tensorflow are not needed.

    Raises:
        ConfigurationError: tensorboard is not installed.
    """
    _require("tensorboard", "tensorboard")
    return _TensorBoard(os.fspath(folder))


class _TensorBoard:
    def __init__(self, folder: str) -> None:
        event = _require("tensorboard.compat.proto.event_pb2", "tensorboard")
        summary = _require("tensorboard.compat.proto.summary_pb2", "tensorboard")
        files = _require("tensorboard.summary.writer.event_file_writer", "tensorboard")
        self._event, self._summary = event.Event, summary.Summary
        self._file = files.EventFileWriter(folder)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        values = [
            self._summary.Value(tag=name, simple_value=value) for name, value in metrics.items()
        ]
        summary = self._summary(value=values)
        self._file.add_event(self._event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        self._file.close()


def to_mlflow(
    experiment: str | None = None,
    *,
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
    run_id: str | None = None,
) -> Writer:
    """Write to MLflow, as a new run or with `run_id` an existing one.

    The server is MLflow's setting (``MLFLOW_TRACKING_URI``). Characters that MLflow does not accept
    in names, such as the colon of ``loss:sum``, become underscores.

    Raises:
        ConfigurationError: neither mlflow nor mlflow-skinny is installed.
    """
    client = _require("mlflow.tracking", "mlflow").MlflowClient()
    if run_id is None:
        existing = client.get_experiment_by_name(experiment) if experiment else None
        if existing is not None:
            experiment_id = existing.experiment_id
        else:
            experiment_id = client.create_experiment(experiment) if experiment else "0"
        run_id = client.create_run(experiment_id, run_name=name).info.run_id
    for key, value in (config or {}).items():
        client.log_param(run_id, key, value)
    return _MLflow(client, str(run_id))


class _MLflow:
    def __init__(self, client: Any, run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self._metric = _require("mlflow.entities", "mlflow").Metric

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        batch = [
            self._metric(_NOT_IN_MLFLOW_NAMES.sub("_", name), value, now, step)
            for name, value in metrics.items()
        ]
        self._client.log_batch(self._run_id, metrics=batch)

    def close(self) -> None:
        self._client.set_terminated(self._run_id)


def to_trackio(
    project: str,
    *,
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
    **options: Any,
) -> Writer:
    """Write to trackio. `options` are passed to `trackio.init`.

    Raises:
        ConfigurationError: trackio is not installed.
    """
    trackio = _require("trackio", "trackio")
    trackio.init(project=project, name=name, config=dict(config or {}), **options)
    return _Trackio(trackio)


class _Trackio(_Wandb):
    """The functions of trackio are those of a run of W&B."""
