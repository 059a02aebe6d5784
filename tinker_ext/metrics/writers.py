"""Writers for Weights & Biases, TensorBoard, MLflow and trackio, each used if it is installed."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from tinker_ext.errors import ConfigurationError
from tinker_ext.metrics.logger import Writer

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
    return _Trackio(
        trackio, trackio.init(project=project, name=name, config=dict(config or {}), **options)
    )


class _Trackio:
    def __init__(self, trackio: Any, run: Any) -> None:
        self._trackio = trackio
        self._run = run

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self._trackio.log(dict(metrics), step=step)

    def close(self) -> None:
        self._trackio.finish()
