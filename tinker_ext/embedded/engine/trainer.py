"""One fine-tuning run: an adapter, its accumulated gradients and its optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from attrs import field, frozen
from autograd.core import make_vjp

from tinker_ext.embedded.engine import ops
from tinker_ext.embedded.engine.adam import Adam, AdamSettings, global_norm
from tinker_ext.embedded.engine.batching import TrainingDatum, make_batches
from tinker_ext.embedded.engine.errors import EngineInputError
from tinker_ext.embedded.engine.lora import (
    LORA_B_SUFFIX,
    LoraSettings,
    adapted_projection,
    initial_adapter,
)
from tinker_ext.embedded.engine.losses import combine_metrics, complete_config, find_loss
from tinker_ext.embedded.engine.transformer import causal_attention, hidden_states

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from tinker_ext.embedded.engine.batching import Batch
    from tinker_ext.embedded.engine.losses import Loss
    from tinker_ext.embedded.engine.model import BaseModel
    from tinker_ext.embedded.engine.transformer import Project

    Array = npt.NDArray[np.floating[Any]]
    Adapter = dict[str, Array]

__all__ = [
    "AdamSettings",
    "EngineInputError",
    "LoraSettings",
    "LossOutput",
    "Trainer",
    "TrainerState",
    "TrainingDatum",
]


@frozen(eq=False)
class LossOutput:
    """Per datum ``{"logprobs": float32 array}``, in order, and metrics by name.

    The arrays have the shape of the targets. Metric names end in their reduction over several
    outputs, as in ``loss:sum``.
    """

    outputs: list[dict[str, npt.NDArray[np.float32]]]
    metrics: dict[str, float]


@frozen(eq=False)
class TrainerState:
    """The state of a run, without gradients that have not been applied.

    `adapter` and `optimizer` map names to arrays, for safetensors; `optimizer` has the first and
    second moment of each adapter array (suffixes ``.exp_avg`` and ``.exp_avg_sq``), or is empty to
    reset the optimizer. `step` counts optimizer steps.
    """

    adapter: Mapping[str, Array]
    optimizer: Mapping[str, Array] = field(factory=dict)
    step: int = 0


class Trainer:
    """An adapter in training. Not thread-safe: one call at a time.

    A call that raises EngineInputError does not change the state.
    """

    def __init__(self, base: BaseModel, settings: LoraSettings) -> None:
        self.base = base
        self.settings = settings
        self._adapter = initial_adapter(base, settings)
        self._adam = Adam(self._adapter)
        self._gradients: Adapter | None = None

    def forward(
        self,
        data: Sequence[TrainingDatum],
        loss_fn: str,
        config: Mapping[str, float] | None = None,
    ) -> LossOutput:
        """Compute log-probabilities and loss, without gradients."""
        return self._compute(data, loss_fn, config, record=False)[0]

    def forward_backward(
        self,
        data: Sequence[TrainingDatum],
        loss_fn: str,
        config: Mapping[str, float] | None = None,
    ) -> LossOutput:
        """Like `forward`, and add the gradient to those that the next `optim_step` applies."""
        output, gradient = self._compute(data, loss_fn, config, record=True)
        accumulated = self._gradients
        self._gradients = gradient if accumulated is None else _sum(accumulated, gradient)
        return output

    def optim_step(self, settings: AdamSettings | None = None) -> dict[str, float]:
        """Apply and clear the accumulated gradients; returns their norm before clipping.

        Without accumulated gradients the weights don't change, not even by weight decay, and the
        step is not counted: otherwise Adam would continue with its old momentum. The `grad_norm` in
        the metrics is then 0. No metric is named `step`: training loops log their own under it.
        """
        if self._gradients is not None:
            norm = global_norm(self._gradients)
            self._adapter = self._adam.step(
                self._adapter, self._gradients, settings or AdamSettings()
            )
            self._gradients = None
        else:
            norm = 0.0
        return {"grad_norm": norm, "optimizer_steps": float(self._adam.step_count)}

    def gradients(self) -> Adapter | None:
        """A copy of the accumulated gradients, or None before the first backward pass of a step."""
        return None if self._gradients is None else _copy(self._gradients)

    def adapter(self) -> Adapter:
        """A copy of the current adapter, for sampling."""
        return _copy(self._adapter)

    def state(self) -> TrainerState:
        """A copy of the state, from which `restore` continues exactly."""
        moments = {
            **{f"{name}.exp_avg": value.copy() for name, value in self._adam.first.items()},
            **{f"{name}.exp_avg_sq": value.copy() for name, value in self._adam.second.items()},
        }
        return TrainerState(self.adapter(), moments, self._adam.step_count)

    def restore(self, state: TrainerState) -> None:
        """Continue from a state; accumulated gradients are dropped.

        A module that this run trains and the state lacks gets B = 0, so that the model computes the
        same function as the state's model.

        Raises:
            EngineInputError: the state has a module that this run doesn't train, or another rank.
        """
        _check_fits(state.adapter, self._adapter)
        neutral = {name: _neutral(name, value) for name, value in self._adapter.items()}
        adapter = {
            name: _copy_or_default(state.adapter, name, value) for name, value in neutral.items()
        }
        adam = Adam(adapter)
        if state.optimizer:
            adam.step_count = state.step
            for name in adapter:
                adam.first[name] = _copy_or_default(
                    state.optimizer, f"{name}.exp_avg", adam.first[name]
                )
                adam.second[name] = _copy_or_default(
                    state.optimizer, f"{name}.exp_avg_sq", adam.second[name]
                )
        self._adapter, self._adam, self._gradients = adapter, adam, None

    def _compute(
        self,
        data: Sequence[TrainingDatum],
        loss_fn: str,
        config: Mapping[str, float] | None,
        *,
        record: bool,
    ) -> tuple[LossOutput, Adapter]:
        """The output, and the gradient, which is empty unless recorded."""
        loss = find_loss(loss_fn)
        settings = complete_config(loss, config)
        outputs: list[dict[str, npt.NDArray[np.float32]]] = [{} for _ in data]
        parts: list[dict[str, float]] = []
        gradient: Adapter = {}
        for batch in make_batches(self.base, data, loss):
            total = _bound_total(loss, batch, settings)
            logprobs, value, batch_gradient = self._compute_batch(batch, total, record=record)
            metrics = loss.metrics(logprobs, batch.inputs, settings)
            parts.append({"loss:sum": value, **metrics})
            gradient = _sum(gradient, batch_gradient) if gradient else batch_gradient
            for index, datum_logprobs in batch.split(logprobs):
                outputs[index]["logprobs"] = datum_logprobs
        return LossOutput(outputs, combine_metrics(parts)), gradient

    def _compute_batch(
        self, batch: Batch, total: Callable[[Array], Array], *, record: bool
    ) -> tuple[Array, float, Adapter]:
        """Log-probabilities, loss and gradient of one batch.

        Raises:
            EngineInputError: the loss or the gradient overflows.
        """

        def logprobs_of(adapter: Adapter) -> Array:
            project = adapted_projection(self.base.weights, adapter)
            return batch_logprobs(self.base, project, batch)

        with np.errstate(over="ignore", invalid="ignore"):
            if not record:
                logprobs = logprobs_of(self._adapter)
                return logprobs, _finite(total(logprobs)), {}
            backward, logprobs = make_vjp(logprobs_of, self._adapter)
            loss_backward, value = make_vjp(total, logprobs)
            slope = loss_backward(value.dtype.type(1.0))
            return logprobs, _finite(value, slope), backward(slope)


def batch_logprobs(base: BaseModel, project: Project, batch: Batch) -> Array:
    """Each target's log-probability, in the shape of the targets, padding included."""
    rows, time = batch.tokens.shape
    attend = causal_attention(time, base.dtype)
    positions = np.broadcast_to(np.arange(time), (rows, time))
    states = hidden_states(base.shape, base.weights, project, attend, batch.tokens, positions)
    targets = batch.targets.reshape(rows * time, *batch.targets.shape[2:])
    logprobs = ops.pick_logprobs(project(states, "lm_head"), targets)
    shaped: Array = anp.reshape(logprobs, batch.targets.shape)
    return shaped


def _bound_total(
    loss: Loss, batch: Batch, settings: Mapping[str, float]
) -> Callable[[Array], Array]:
    return lambda logprobs: loss.total(logprobs, batch.inputs, settings)


def _finite(value: Array, slope: Array | None = None) -> float:
    if not np.isfinite(value) or not (slope is None or np.isfinite(slope).all()):
        raise EngineInputError("the loss overflows; check logprobs, weights and advantages")
    return float(value)


def _neutral(name: str, value: Array) -> Array:
    return np.zeros_like(value) if name.endswith(LORA_B_SUFFIX) else value.copy()


def _copy_or_default(source: Mapping[str, Array], name: str, default: Array) -> Array:
    """A copy of a named array with the default's dtype, or the default."""
    return source[name].astype(default.dtype) if name in source else default


def _check_fits(loaded: Mapping[str, Array], adapter: Mapping[str, Array]) -> None:
    for name, value in loaded.items():
        if name not in adapter:
            raise EngineInputError(f"the weights contain {name}, which this run does not train")
        if value.shape != adapter[name].shape:
            raise EngineInputError(
                f"{name} has shape {value.shape} in the weights and {adapter[name].shape} in this "
                "run: check that the rank is the same"
            )


def _sum(left: Adapter, right: Adapter) -> Adapter:
    return {name: value + right[name] for name, value in left.items()}


def _copy(arrays: Mapping[str, Array]) -> Adapter:
    return {name: value.copy() for name, value in arrays.items()}
