"""The writers of `tinker_ext.metrics` with the real packages, in `make test-metrics`."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tinker_ext import metrics

#: These packages warn about their own deprecated imports.
pytestmark = pytest.mark.filterwarnings("ignore")


def log_three(tmp_path: Path, writer: metrics.Writer) -> None:
    with metrics.Logger(tmp_path / "metrics.jsonl", writer) as logger:
        for step in (1, 2, 3):
            logger.log(step, {"loss:sum": 3.0 / step, "time/step": 0.5})


EXPECTED = [(1, 3.0), (2, 1.5), (3, 1.0)]


def test_tensorboard_reads_the_event_file(tmp_path: Path) -> None:
    module: Any = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    log_three(tmp_path, metrics.to_tensorboard(tmp_path / "tb"))
    events = module.EventAccumulator(str(tmp_path / "tb"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss:sum")] == EXPECTED


def test_mlflow_has_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    module: Any = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # mlflow-skinny has no database.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    for _ in range(2):
        log_three(tmp_path, metrics.to_mlflow("words", name="n", config={"rank": 8}))
    client = module.MlflowClient()
    runs = client.search_runs([client.get_experiment_by_name("words").experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 2
    assert runs[0].data.params == {"rank": "8"}
    history = client.get_metric_history(runs[0].info.run_id, "loss_sum")
    assert [(metric.step, metric.value) for metric in history] == EXPECTED


def test_trackio_has_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio")
    log_three(tmp_path, metrics.to_trackio("p", name="n", config={"rank": 8}))
    with sqlite3.connect(tmp_path / "trackio" / "p.db") as database:
        rows = database.execute("select step, metrics from metrics order by step").fetchall()
    assert [(step, json.loads(values)["loss:sum"]) for step, values in rows] == EXPECTED


def test_wandb_writes_an_offline_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb: Any = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    log_three(tmp_path, metrics.to_wandb("p", name="n", config={"rank": 8}, dir=str(tmp_path)))
    wandb.teardown()  # Ends the process that writes the file.
    (run,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    assert b"loss:sum" in run.read_bytes()
