"""A small model in float64, whose results can be compared with exact calculations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tinker_ext.embedded.engine.model import (
    BaseModel,
    ModelShape,
    build_base_model,
    load_base_model,
    random_weights,
)
from tinker_ext.embedded.engine.trainer import LoraSettings, Trainer, TrainerState, TrainingDatum

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

SMALL = ModelShape(vocabulary=258, hidden=16, layers=2, heads=2, feedforward=24, max_context=32)


@pytest.fixture(scope="session")
def small() -> BaseModel:
    return build_base_model("embedded/small", SMALL, random_weights(SMALL, 3, np.float64))


@pytest.fixture(scope="session")
def tiny() -> BaseModel:
    return load_base_model("embedded/tiny")


@pytest.fixture
def make_datum() -> Callable[..., TrainingDatum]:
    """Create a datum of a given length with random contents, determined by a seed."""

    def make(length: int, seed: int = 0, names: Sequence[str] = ("weights",)) -> TrainingDatum:
        rng = np.random.default_rng(seed)
        values = {
            "weights": rng.uniform(0.0, 1.0, length),
            "logprobs": rng.uniform(-6.0, -5.0, length),
            "advantages": rng.normal(size=length),
            "sequence_ratio_mask": np.ones(length),
        }
        if "sequence_ratio_mask" in names:
            # gspo's gradient is that of its value only if a datum has one advantage.
            values["advantages"] = np.full(length, rng.choice([-1.0, 1.0]) * 0.7)
        inputs: dict[str, npt.NDArray[Any]] = {name: values[name] for name in names}
        inputs["target_tokens"] = rng.integers(0, 258, length)
        return TrainingDatum(rng.integers(0, 258, length), inputs)

    return make


@pytest.fixture
def stirred(small: BaseModel) -> Callable[[LoraSettings], Trainer]:
    """Create a trainer with a random adapter, so that no gradient is zero by symmetry."""

    def make(settings: LoraSettings) -> Trainer:
        trainer = Trainer(small, settings)
        rng = np.random.default_rng(17)
        adapter = {
            name: rng.normal(scale=0.1, size=value.shape)
            for name, value in sorted(trainer.adapter().items())
        }
        trainer.restore(TrainerState(adapter))
        return trainer

    return make
