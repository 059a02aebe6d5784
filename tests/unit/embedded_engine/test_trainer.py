"""Gradient accumulation, optimizer steps, state and restore."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tinker_ext.embedded.engine.adam import AdamSettings
from tinker_ext.embedded.engine.errors import EngineInputError
from tinker_ext.embedded.engine.trainer import LoraSettings, Trainer, TrainerState, TrainingDatum

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.embedded.engine.model import BaseModel

    MakeDatum = Callable[..., TrainingDatum]
    Stirred = Callable[[LoraSettings], Trainer]

SETTINGS = LoraSettings(rank=2, seed=7)
FAST = AdamSettings(learning_rate=1e-2)


def gradients_of(trainer: Trainer) -> dict[str, np.ndarray]:
    gradients = trainer.gradients()
    assert gradients is not None
    return gradients


def test_gradients_accumulate_over_calls(stirred: Stirred, make_datum: MakeDatum) -> None:
    data = [make_datum(length, seed) for seed, length in enumerate((5, 9, 2))]
    together, apart = stirred(SETTINGS), stirred(SETTINGS)
    combined = together.forward_backward(data, "cross_entropy")
    parts = [apart.forward_backward([datum], "cross_entropy") for datum in data]
    for name, gradient in gradients_of(together).items():
        np.testing.assert_allclose(gradients_of(apart)[name], gradient, atol=1e-12)
    assert combined.metrics["loss:sum"] == pytest.approx(sum(p.metrics["loss:sum"] for p in parts))
    for output, part in zip(combined.outputs, parts, strict=True):
        np.testing.assert_allclose(output["logprobs"], part.outputs[0]["logprobs"], rtol=1e-6)


def test_split_batches_give_the_result_of_one_batch(
    stirred: Stirred, make_datum: MakeDatum, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = [make_datum(length, seed) for seed, length in enumerate((5, 9, 2, 9, 30))]
    one, many = stirred(SETTINGS), stirred(SETTINGS)
    expected = one.forward_backward(data, "cross_entropy")
    monkeypatch.setattr("tinker_ext.embedded.engine.batching.TOKENS_PER_BATCH", 10)
    output = many.forward_backward(data, "cross_entropy")
    assert output.metrics == pytest.approx(expected.metrics)
    for left, right, datum in zip(output.outputs, expected.outputs, data, strict=True):
        assert left["logprobs"].shape == datum.tokens.shape
        np.testing.assert_allclose(left["logprobs"], right["logprobs"], rtol=1e-6)
    for name, gradient in gradients_of(one).items():
        np.testing.assert_allclose(gradients_of(many)[name], gradient, atol=1e-12)


def test_outputs_are_float32_logprobs(stirred: Stirred, make_datum: MakeDatum) -> None:
    output = stirred(SETTINGS).forward([make_datum(6)], "cross_entropy")
    assert list(output.outputs[0]) == ["logprobs"]
    assert output.outputs[0]["logprobs"].dtype == np.float32
    assert (output.outputs[0]["logprobs"] < 0).all()


def test_forward_adds_no_gradients(stirred: Stirred, make_datum: MakeDatum) -> None:
    trainer = stirred(SETTINGS)
    trainer.forward([make_datum(6)], "cross_entropy")
    assert trainer.gradients() is None
    trainer.forward_backward([make_datum(6)], "cross_entropy")
    before = gradients_of(trainer)
    trainer.forward([make_datum(6, seed=1)], "cross_entropy")
    for name, gradient in gradients_of(trainer).items():
        np.testing.assert_array_equal(gradient, before[name])


def test_optim_step_lowers_the_loss_and_clears_the_gradients(
    stirred: Stirred, make_datum: MakeDatum
) -> None:
    trainer, data = stirred(SETTINGS), [make_datum(12)]
    first = trainer.forward_backward(data, "cross_entropy").metrics["loss:sum"]
    metrics = trainer.optim_step(AdamSettings(learning_rate=1e-3))
    assert metrics["grad_norm"] > 0
    assert metrics["optimizer_steps"] == 1
    assert trainer.gradients() is None
    assert trainer.forward(data, "cross_entropy").metrics["loss:sum"] < first


def test_optim_step_without_gradients_changes_nothing(
    stirred: Stirred, make_datum: MakeDatum
) -> None:
    trainer = stirred(SETTINGS)
    trainer.forward_backward([make_datum(12)], "cross_entropy")
    trainer.optim_step(FAST)
    before = trainer.adapter()
    assert trainer.optim_step(FAST) == {"grad_norm": 0.0, "optimizer_steps": 1.0}
    for name, value in trainer.adapter().items():
        np.testing.assert_array_equal(value, before[name])


def test_snapshots_are_copies(stirred: Stirred, make_datum: MakeDatum) -> None:
    trainer = stirred(SETTINGS)
    adapter, state = trainer.adapter(), trainer.state()
    copies = {name: value.copy() for name, value in adapter.items()}
    trainer.forward_backward([make_datum(12)], "cross_entropy")
    trainer.optim_step(FAST)
    for name, value in copies.items():
        np.testing.assert_array_equal(adapter[name], value)
        np.testing.assert_array_equal(state.adapter[name], value)
        assert not np.array_equal(trainer.adapter()[name], value)


def test_restore_continues_exactly(tiny: BaseModel, make_datum: MakeDatum) -> None:
    def advance(trainer: Trainer, seeds: range) -> Trainer:
        for seed in seeds:
            data = [make_datum(10 + seed, seed), make_datum(20, seed + 50)]
            trainer.forward_backward(data, "cross_entropy")
            trainer.optim_step(FAST)
        return trainer

    straight = advance(Trainer(tiny, SETTINGS), range(5)).state()
    halfway = advance(Trainer(tiny, SETTINGS), range(3)).state()
    resumed = Trainer(tiny, LoraSettings(rank=2, seed=99))
    resumed.forward_backward([make_datum(4)], "cross_entropy")  # dropped by restore
    resumed.restore(pickle.loads(pickle.dumps(halfway)))
    state = advance(resumed, range(3, 5)).state()
    assert state.step == straight.step == 5
    for mine, other in ((state.adapter, straight.adapter), (state.optimizer, straight.optimizer)):
        assert mine.keys() == other.keys()
        for name, value in other.items():
            assert mine[name].dtype == np.float32
            np.testing.assert_array_equal(mine[name], value)


def test_restore_without_optimizer_resets_it(stirred: Stirred, make_datum: MakeDatum) -> None:
    trainer = stirred(SETTINGS)
    trainer.forward_backward([make_datum(12)], "cross_entropy")
    trainer.optim_step(FAST)
    trainer.restore(TrainerState(trainer.adapter(), step=1))
    assert trainer.state().step == 0
    assert not any(moment.any() for moment in trainer.state().optimizer.values())


def test_restore_with_fewer_modules_gives_the_same_outputs(
    small: BaseModel, stirred: Stirred, make_datum: MakeDatum
) -> None:
    attention_only = stirred(LoraSettings(rank=2, train_mlp=False, train_unembed=False))
    everything = stirred(LoraSettings(rank=2))
    everything.restore(attention_only.state())
    data = [make_datum(9)]
    np.testing.assert_allclose(
        everything.forward(data, "cross_entropy").outputs[0]["logprobs"],
        attention_only.forward(data, "cross_entropy").outputs[0]["logprobs"],
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    "other", [LoraSettings(rank=3), LoraSettings(rank=2, train_mlp=False, train_attn=False)]
)
def test_restore_of_incompatible_state_changes_nothing(
    stirred: Stirred, small: BaseModel, other: LoraSettings
) -> None:
    state, trainer = stirred(SETTINGS).state(), Trainer(small, other)
    before = trainer.adapter()
    with pytest.raises(EngineInputError):
        trainer.restore(state)
    for name, value in trainer.adapter().items():
        np.testing.assert_array_equal(value, before[name])


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(EngineInputError("is wrong", where="data[0]")))
    assert (str(error), error.message, error.where) == ("data[0]: is wrong", "is wrong", "data[0]")
