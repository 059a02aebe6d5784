"""Every loss's gradient by every kind of adapter, against central differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tinker_ext.embedded.engine.adam import AdamSettings
from tinker_ext.embedded.engine.trainer import LoraSettings, Trainer, TrainerState, TrainingDatum

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

INPUTS = {
    "cross_entropy": ("weights",),
    "importance_sampling": ("logprobs", "advantages"),
    "ppo": ("logprobs", "advantages"),
    "dro": ("logprobs", "advantages"),
}
STEP = 1e-6


@pytest.mark.parametrize("loss", INPUTS)
def test_gradient_is_the_slope_of_the_loss(
    loss: str, stirred: Callable[[LoraSettings], Trainer], make_datum: Callable[..., TrainingDatum]
) -> None:
    trainer = stirred(LoraSettings(rank=3, seed=1))
    data = [make_datum(length, seed, INPUTS[loss]) for seed, length in enumerate((7, 3, 7, 1))]
    trainer.forward_backward(data, loss)
    gradients = trainer.gradients()
    assert gradients is not None
    start = trainer.adapter()

    def value_at(name: str, place: tuple[int, ...], change: float) -> float:
        adapter = {key: value.copy() for key, value in start.items()}
        adapter[name][place] += change
        trainer.restore(TrainerState(adapter))
        return trainer.forward(data, loss).metrics["loss:sum"]

    rng = np.random.default_rng(2)
    for name, gradient in gradients.items():
        assert np.abs(gradient).max() > 0, name
        for _ in range(2):
            place = tuple(int(rng.integers(size)) for size in gradient.shape)
            slope = (value_at(name, place, STEP) - value_at(name, place, -STEP)) / (2 * STEP)
            assert gradient[place] == pytest.approx(slope, rel=1e-5, abs=1e-7), (name, place)


def test_ppo_data_reaches_both_sides_of_the_clip(
    stirred: Callable[[LoraSettings], Trainer], make_datum: Callable[..., TrainingDatum]
) -> None:
    """Else the gradient check above would check importance sampling twice."""
    trainer = stirred(LoraSettings(rank=3, seed=1))
    data = [make_datum(length, seed, INPUTS["ppo"]) for seed, length in enumerate((7, 3, 7, 1))]
    clipped = trainer.forward(data, "ppo").metrics["clipped:sum"]
    assert 0 < clipped < sum(len(datum.tokens) for datum in data)


def test_cispo_has_the_slope_of_its_weighted_logprobs(
    stirred: Callable[[LoraSettings], Trainer], make_datum: Callable[..., TrainingDatum]
) -> None:
    """Its weights count as constants: so the gradient is that of cross_entropy with them, and
    cross_entropy's is checked above. No finite difference of its own value shows that."""
    trainer = stirred(LoraSettings(rank=3, seed=1))
    data = [make_datum(length, seed, INPUTS["ppo"]) for seed, length in enumerate((7, 3, 7, 1))]
    output = trainer.forward_backward(data, "cispo")
    gradients = trainer.gradients()
    assert gradients is not None
    assert 0 < output.metrics["clipped:sum"] < sum(len(datum.tokens) for datum in data)

    trainer.optim_step(AdamSettings(learning_rate=0.0))
    trainer.forward_backward(
        [weighted(*pair) for pair in zip(data, output.outputs, strict=True)], "cross_entropy"
    )
    expected = trainer.gradients()
    assert expected is not None
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-5, atol=1e-7)


def weighted(datum: TrainingDatum, output: Mapping[str, npt.NDArray[np.float32]]) -> TrainingDatum:
    """The datum with cispo's weights as those of cross_entropy."""
    ratio = np.exp(output["logprobs"] - datum.inputs["logprobs"])
    weights = np.clip(ratio, 0.8, 1.2) * datum.inputs["advantages"]
    return TrainingDatum(datum.tokens, {**datum.inputs, "weights": weights})
