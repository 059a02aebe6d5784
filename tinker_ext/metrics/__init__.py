"""Metrics of training runs: a JSONL file always, other tools if they are installed, plots.

    from tinker_ext import metrics

    with metrics.Logger("runs/a/metrics.jsonl", metrics.to_tensorboard("runs/a/tb")) as logger:
        for step in range(100):
            ...
            logger.log(step, {"loss": loss})

`tinker-ext run plot runs/a/metrics.jsonl` draws the file.
"""

from tinker_ext.metrics.logger import (
    Logger,
    StepTimes,
    Writer,
    read_metrics,
    to_mlflow,
    to_tensorboard,
    to_trackio,
    to_wandb,
)

__all__ = [
    "Logger",
    "StepTimes",
    "Writer",
    "read_metrics",
    "to_mlflow",
    "to_tensorboard",
    "to_trackio",
    "to_wandb",
]
