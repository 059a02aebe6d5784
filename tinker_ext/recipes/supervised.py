"""Supervised training: the step, the loss of a batch, and an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import tinker_ext as tinker
from tinker_ext.recipes.batches import Batches
from tinker_ext.recipes.schedules import Schedule


def supervised(
    batches: Batches[tinker.Datum],
    rate: Schedule,
    *,
    loss_fn: str = "cross_entropy",
    loss_fn_config: Mapping[str, float | str] | None = None,
    adam: tinker.AdamParams | None = None,
) -> Callable[[tinker.TrainingClient, int], dict[str, float]]:
    """A step of `Run.train`: gradients of a batch, then one update with Adam.

    Its metrics are `loss` (per trained token), `learning_rate`, `tokens`, and those of the server.
    `adam` has the parameters besides the learning rate.
    """
    params = adam or tinker.AdamParams()

    def step(training: tinker.TrainingClient, number: int) -> dict[str, float]:
        batch, learning_rate = batches.at(number), rate(number)
        # Both requests are sent at once and executed in this order.
        gradients = training.forward_backward(batch, loss_fn, loss_fn_config)
        update = training.optim_step(params.model_copy(update={"learning_rate": learning_rate}))
        output = gradients.result()
        return {
            **output.metrics,
            **(update.result().metrics or {}),
            "loss": mean_loss(batch, output),
            "learning_rate": learning_rate,
            "tokens": float(sum(datum.model_input.length for datum in batch)),
        }

    return step


def mean_loss(batch: Sequence[tinker.Datum], output: tinker.ForwardBackwardOutput) -> float:
    """The loss per trained token: the sum of losses divided by the sum of weights.

    A datum without ``weights`` counts each target with a weight of 1.
    """
    weight = sum(_weight(datum) for datum in batch)
    return float(output.metrics["loss:sum"]) / weight if weight else 0.0


def _weight(datum: tinker.Datum) -> float:
    weights = datum.loss_fn_inputs.get("weights")
    if weights is not None:
        return float(weights.to_numpy().sum())
    return float(datum.loss_fn_inputs["target_tokens"].to_numpy().size)


def evaluation(
    data: Sequence[tinker.Datum], *, batch_size: int = 64, loss_fn: str = "cross_entropy"
) -> Callable[[tinker.TrainingClient, int], dict[str, float]]:
    """An evaluation for `Run.train`: `eval_loss`, the loss per token of data not trained on."""

    def evaluate(training: tinker.TrainingClient, _: int) -> dict[str, float]:
        parts = [data[start : start + batch_size] for start in range(0, len(data), batch_size)]
        outputs = [training.forward(part, loss_fn) for part in parts]
        total = sum(output.result().metrics["loss:sum"] for output in outputs)
        weight = sum(_weight(datum) for datum in data)
        return {"eval_loss": float(total) / weight if weight else 0.0}

    return evaluate
