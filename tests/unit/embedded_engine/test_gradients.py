"""The gradients of all losses for all kinds of adapters, compared with central differences."""

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
    "gspo": ("logprobs", "advantages", "sequence_ratio_mask"),
    "stable_reinforce": ("logprobs", "advantages", "weights"),
    "kl_divergence": ("logprobs", "weights"),
}
STEP = 1e-6


@pytest.mark.parametrize("loss", INPUTS)
def test_gradient_matches_finite_differences_of_the_loss(
    loss: str, stirred: Callable[[LoraSettings], Trainer], make_datum: Callable[..., TrainingDatum]
) -> None:
    trainer = stirred(LoraSettings(rank=3, seed=1))
    data = [make_datum(length, seed, INPUTS[loss]) for seed, length in enumerate((7, 3, 7, 1))]
    check_gradients(trainer, data, loss)


@pytest.mark.parametrize("loss", ["cross_entropy", "kl_divergence"])
def test_gradient_of_several_targets_matches_finite_differences(
    loss: str, stirred: Callable[[LoraSettings], Trainer], make_datum: Callable[..., TrainingDatum]
) -> None:
    trainer = stirred(LoraSettings(rank=3, seed=1))
    data = [
        with_targets(make_datum(length, seed), count)
        for seed, (length, count) in enumerate(((7, 3), (4, 3), (5, 2)))
    ]
    data.append(make_datum(3, 9, INPUTS[loss]))
    check_gradients(trainer, data, loss)


def with_targets(datum: TrainingDatum, count: int) -> TrainingDatum:
    """The datum with several targets per token; the last row has the same one twice."""
    rng = np.random.default_rng(count)
    size = (len(datum.tokens), count)
    targets = rng.integers(0, 258, size)
    targets[-1] = targets[-1, 0]
    inputs = {
        "target_tokens": targets,
        "weights": rng.uniform(0.0, 1.0, size),
        "logprobs": rng.uniform(-3.0, -1.0, size),
    }
    return TrainingDatum(datum.tokens, inputs)


def check_gradients(trainer: Trainer, data: list[TrainingDatum], loss: str) -> None:
    """Compare gradients of the adapter with central differences of ``loss:sum``."""
    trainer.forward_backward(data, loss)
    gradients = trainer.gradients()
    assert gradients is not None
    start = trainer.adapter()

    def value_at(name: str, index: tuple[int, ...], change: float) -> float:
        adapter = {key: value.copy() for key, value in start.items()}
        adapter[name][index] += change
        trainer.restore(TrainerState(adapter))
        return trainer.forward(data, loss).metrics["loss:sum"]

    rng = np.random.default_rng(2)
    for name, gradient in gradients.items():
        assert np.abs(gradient).max() > 0, name
        for _ in range(2):
            index = tuple(int(rng.integers(size)) for size in gradient.shape)
            slope = (value_at(name, index, STEP) - value_at(name, index, -STEP)) / (2 * STEP)
            assert gradient[index] == pytest.approx(slope, rel=1e-5, abs=1e-7), (name, index)


def test_ppo_data_is_clipped_on_both_sides(
    stirred: Callable[[LoraSettings], Trainer], make_datum: Callable[..., TrainingDatum]
) -> None:
    """Otherwise the gradient test above would test importance sampling twice."""
    trainer = stirred(LoraSettings(rank=3, seed=1))
    data = [make_datum(length, seed, INPUTS["ppo"]) for seed, length in enumerate((7, 3, 7, 1))]
    clipped = trainer.forward(data, "ppo").metrics["clipped:sum"]
    assert 0 < clipped < sum(len(datum.tokens) for datum in data)


def test_cispo_gradient_equals_cross_entropy_with_its_weights(
    stirred: Callable[[LoraSettings], Trainer], make_datum: Callable[..., TrainingDatum]
) -> None:
    """Its weights have no gradient, so its gradient is that of cross_entropy with these weights,
    which is tested above. Finite differences of its value would not show that."""
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
    """The datum with the weights of cispo, for cross_entropy."""
    ratio = np.exp(output["logprobs"] - datum.inputs["logprobs"])
    weights = np.clip(ratio, 0.8, 1.2) * datum.inputs["advantages"]
    return TrainingDatum(datum.tokens, {**datum.inputs, "weights": weights})
