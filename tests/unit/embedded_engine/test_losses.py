"""Losses compared with manual calculations, and invalid inputs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tinker_ext.embedded.engine.errors import EngineInputError
from tinker_ext.embedded.engine.losses import LOSS_NAMES, complete_config, find_loss
from tinker_ext.embedded.engine.trainer import LoraSettings, Trainer, TrainingDatum

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.embedded.engine.model import BaseModel

P = np.log([0.5, 0.25, 0.2, 0.1])
POLICY = {
    "logprobs": np.log([0.25, 0.25, 0.4, 0.2]),  # ratios 2, 1, 0.5, 0.5
    "advantages": np.array([1.0, 3.0, 1.0, -1.0]),
}


def total(name: str, inputs: dict[str, Any], config: dict[str, float] | None = None) -> float:
    loss = find_loss(name)
    return float(loss.total(P, inputs, complete_config(loss, config)))


def test_cross_entropy_is_the_weighted_sum_of_logprobs() -> None:
    weights = np.array([1.0, 0.0, 2.0, -1.0])
    expected = -(math.log(0.5) + 2 * math.log(0.2) - math.log(0.1))
    assert total("cross_entropy", {"weights": weights}) == pytest.approx(expected)


def test_importance_sampling_multiplies_advantages_by_the_ratio() -> None:
    assert total("importance_sampling", POLICY) == pytest.approx(-(2 + 3 + 0.5 - 0.5))


def test_ppo_is_the_minimum_of_unclipped_and_clipped() -> None:
    # min(2, 1.2) + min(3, 3) + min(0.5, 0.8) + min(-0.5, -0.8)
    assert total("ppo", POLICY) == pytest.approx(-(1.2 + 3 + 0.5 - 0.8))


def test_ppo_thresholds_are_configurable() -> None:
    config = {"clip_low_threshold": 0.6, "clip_high_threshold": 1.5}
    assert total("ppo", POLICY, config) == pytest.approx(-(1.5 + 3 + 0.5 - 0.6))


def test_ppo_metrics_count_clipped_tokens() -> None:
    loss = find_loss("ppo")
    metrics = loss.metrics(P, POLICY, complete_config(loss, None))
    assert metrics == pytest.approx(
        {"clipped:sum": 2.0, "acted:sum": 4.0, "ratio:min": 0.5, "ratio:max": 2.0}
    )


def test_cispo_multiplies_logprobs_by_the_clipped_ratio() -> None:
    # weights 1.2, 1, 0.8, 0.8
    expected = 1.2 * math.log(0.5) + 3 * math.log(0.25) + 0.8 * math.log(0.2) - 0.8 * math.log(0.1)
    assert total("cispo", POLICY) == pytest.approx(-expected)
    config = {"clip_low_threshold": 0.6, "clip_high_threshold": 1.5}
    expected = 1.5 * math.log(0.5) + 3 * math.log(0.25) + 0.6 * math.log(0.2) - 0.6 * math.log(0.1)
    assert total("cispo", POLICY, config) == pytest.approx(-expected)


def test_cispo_metrics_count_clipped_tokens() -> None:
    loss = find_loss("cispo")
    metrics = loss.metrics(P, POLICY, complete_config(loss, None))
    assert metrics["clipped:sum"] == 3
    nothing = loss.metrics(P, {**POLICY, "advantages": np.zeros(4)}, complete_config(loss, None))
    assert nothing == {"acted:sum": 0.0, "clipped:sum": 0.0}


@pytest.mark.parametrize(("config", "beta"), [(None, 0.05), ({"beta": 0.3}, 0.3)])
def test_dro_penalizes_distance_from_the_sampling_policy(
    config: dict[str, float] | None, beta: float
) -> None:
    # differences ln 2, 0, -ln 2, -ln 2
    gained = math.log(0.5) + 3 * math.log(0.25) + math.log(0.2) - math.log(0.1)
    held = beta / 2 * 3 * math.log(2) ** 2
    assert total("dro", POLICY, config) == pytest.approx(-(gained - held))


GSPO = {
    "logprobs": np.log([[0.25, 0.25, 0.2, 0.9], [0.5, 0.5, 0.4, 0.1]]),
    "advantages": np.array([[1.0, 3.0, -2.0, 5.0], [1.0, 1.0, -1.0, 0.0]]),
    # Ratios 2, 1, 1 and 1, 0.5, 0.5: geometric means 2**(1/3) and 0.25**(1/3).
    "sequence_ratio_mask": np.array([[1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0]]),
}
GSPO_RATIOS = (2 ** (1 / 3), 0.25 ** (1 / 3))


def gspo(config: dict[str, float] | None) -> tuple[float, dict[str, float]]:
    loss, both = find_loss("gspo"), np.stack([P, P])
    settings = complete_config(loss, config)
    return float(loss.total(both, GSPO, settings)), loss.metrics(both, GSPO, settings)


def test_gspo_clips_the_geometric_mean_of_each_datum() -> None:
    high, low = GSPO_RATIOS
    config = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
    first = 1.2 * (1 + 3 + 5) - 2 * high
    second = low * 2 - 0.8
    value, metrics = gspo(config)
    assert value == pytest.approx(-(first + second))
    assert metrics["clipped:sum"] == 4
    assert metrics["acted:sum"] == 7


def test_gspo_thresholds_default_to_those_of_the_paper() -> None:
    high, low = GSPO_RATIOS
    first = 1.0004 * (1 + 3 + 5) - 2 * high
    second = low * 2 - 0.9997
    assert gspo(None)[0] == pytest.approx(-(first + second))


def test_gspo_ratio_of_a_datum_without_marked_tokens_is_one() -> None:
    inputs = {**POLICY, "sequence_ratio_mask": np.zeros(4)}
    assert total("gspo", inputs) == pytest.approx(-4)


@pytest.mark.parametrize(("config", "coefficient"), [(None, 0.05), ({"kl_coeff": 0.5}, 0.5)])
def test_stable_reinforce_penalizes_distance_on_sampled_tokens(
    config: dict[str, float] | None, coefficient: float
) -> None:
    inputs = {**POLICY, "weights": np.array([0.0, 1.0, 1.0, 1.0])}
    gained = 3 * math.log(0.25) + math.log(0.2) - math.log(0.1)
    held = coefficient / 2 * 2 * math.log(2) ** 2
    assert total("stable_reinforce", inputs, config) == pytest.approx(-(gained - held))
    loss = find_loss("stable_reinforce")
    metrics = loss.metrics(P, inputs, complete_config(loss, config))
    assert metrics["sampled:sum"] == 3
    assert metrics["kl:sum"] == pytest.approx(math.log(2) ** 2)


def test_kl_divergence_is_that_of_the_whole_distribution_if_all_tokens_are_targets() -> None:
    teacher, student = np.array([[0.7, 0.2, 0.1]]), np.array([[0.5, 0.25, 0.25]])
    inputs = {"logprobs": np.log(teacher), "weights": np.full((1, 3), 2.0)}
    expected = 2 * float(np.sum(teacher * np.log(teacher / student)))
    assert find_loss("kl_divergence").total(np.log(student), inputs, {}) == pytest.approx(expected)


def test_several_targets_per_token_are_summed(
    small: BaseModel, make_datum: Callable[..., TrainingDatum]
) -> None:
    """Cross-entropy against two weighted targets is the sum of that against each of them."""
    trainer, datum = Trainer(small, LoraSettings(rank=1)), make_datum(4)
    targets, weights = np.arange(8).reshape(4, 2), np.linspace(0.1, 0.8, 8).reshape(4, 2)
    both = trainer.forward(
        [changed(datum, target_tokens=targets, weights=weights), datum], "cross_entropy"
    )
    parts = [
        trainer.forward(
            [changed(datum, target_tokens=targets[:, k], weights=weights[:, k])], "cross_entropy"
        )
        for k in range(2)
    ]
    assert both.outputs[0]["logprobs"].shape == (4, 2)
    assert both.outputs[1]["logprobs"].shape == (4,)
    for k, part in enumerate(parts):
        np.testing.assert_allclose(
            both.outputs[0]["logprobs"][:, k], part.outputs[0]["logprobs"], rtol=1e-6
        )
    alone = trainer.forward([datum], "cross_entropy").metrics["loss:sum"]
    expected = alone + sum(part.metrics["loss:sum"] for part in parts)
    assert both.metrics["loss:sum"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("loss", "inputs", "message"),
    [
        ("ppo", {"target_tokens": np.zeros((4, 2), np.int64)}, "expected \\(4,\\) to match"),
        ("cross_entropy", {"target_tokens": np.zeros((3, 2), np.int64)}, "or \\(4, K\\)"),
        ("cross_entropy", {"target_tokens": np.zeros((4, 0), np.int64)}, "has 0 targets"),
        ("cross_entropy", {"target_tokens": np.zeros((4, 259), np.int64)}, "1 to 258"),
        ("cross_entropy", {"target_tokens": np.full((4, 2), 258)}, "outside 0 to 257"),
        (
            "cross_entropy",
            {"target_tokens": np.zeros((4, 2), np.int64), "weights": np.ones(4)},
            "'weights'.*has shape \\(4,\\), expected \\(4, 2\\) to match target_tokens",
        ),
        ("gspo", {}, "no 'sequence_ratio_mask'"),
    ],
)
def test_invalid_targets_are_explained(
    small: BaseModel,
    make_datum: Callable[..., TrainingDatum],
    loss: str,
    inputs: dict[str, Any],
    message: str,
) -> None:
    datum = make_datum(4, names=("logprobs", "advantages"))
    with pytest.raises(EngineInputError, match=message):
        Trainer(small, LoraSettings(rank=1)).forward([changed(datum, **inputs)], loss)


def test_metrics_without_advantages_have_no_ratio() -> None:
    loss = find_loss("importance_sampling")
    assert loss.metrics(P, {**POLICY, "advantages": np.zeros(4)}, {}) == {"acted:sum": 0.0}


def test_unknown_loss_error_lists_known_losses(small: BaseModel) -> None:
    with pytest.raises(EngineInputError, match=", ".join(LOSS_NAMES)) as error:
        Trainer(small, LoraSettings(rank=1)).forward([], "custom")
    assert error.value.where == "loss_fn"


@pytest.mark.parametrize(
    ("loss", "config", "where"),
    [
        ("cross_entropy", {"clip_low_threshold": 0.8}, "loss_fn_config['clip_low_threshold']"),
        ("ppo", {"epsilon": 0.2}, "loss_fn_config['epsilon']"),
        ("ppo", {"clip_high_threshold": math.inf}, "loss_fn_config['clip_high_threshold']"),
        ("ppo", {"clip_low_threshold": -0.1}, "loss_fn_config['clip_low_threshold']"),
        ("ppo", {"clip_low_threshold": 1.3}, "loss_fn_config"),
        ("cispo", {"beta": 0.1}, "loss_fn_config['beta']"),
        ("dro", {"clip_low_threshold": 0.8}, "loss_fn_config['clip_low_threshold']"),
        ("dro", {"beta": -0.1}, "loss_fn_config['beta']"),
    ],
)
def test_invalid_setting_is_named(loss: str, config: dict[str, float], where: str) -> None:
    with pytest.raises(EngineInputError) as error:
        complete_config(find_loss(loss), config)
    assert error.value.where == where


def changed(datum: TrainingDatum, **inputs: Any) -> TrainingDatum:
    present = {
        name: value for name, value in {**datum.inputs, **inputs}.items() if value is not None
    }
    return TrainingDatum(datum.tokens, present)


@pytest.mark.parametrize(
    ("inputs", "where"),
    [
        ({"target_tokens": None}, "data[1]"),
        ({"advantages": None}, "data[1]"),
        ({"mask": np.ones(4)}, "data[1]"),
        ({"advantages": np.ones(3)}, "data[1].loss_fn_inputs['advantages']"),
        ({"logprobs": np.ones((4, 1))}, "data[1].loss_fn_inputs['logprobs']"),
        ({"advantages": np.array([0, 0, np.nan, 0])}, "data[1].loss_fn_inputs['advantages']"),
        ({"target_tokens": np.array([1, 2, 3])}, "data[1].loss_fn_inputs['target_tokens']"),
        ({"target_tokens": np.array([1, 2, 3, 258])}, "data[1].loss_fn_inputs['target_tokens']"),
        ({"target_tokens": np.array([1, 2, 3, -1])}, "data[1].loss_fn_inputs['target_tokens']"),
        ({"target_tokens": np.ones(4)}, "data[1].loss_fn_inputs['target_tokens']"),
    ],
)
def test_invalid_loss_input_is_named(
    small: BaseModel,
    make_datum: Callable[..., TrainingDatum],
    inputs: dict[str, Any],
    where: str,
) -> None:
    trainer = Trainer(small, LoraSettings(rank=1))
    good = make_datum(4, names=("logprobs", "advantages"))
    with pytest.raises(EngineInputError) as error:
        trainer.forward_backward([good, changed(good, **inputs)], "ppo")
    assert error.value.where == where
    assert trainer.gradients() is None


@pytest.mark.parametrize(
    "tokens", [np.array([], np.int64), np.zeros(33, np.int64), np.array([300]), np.array([[1]])]
)
def test_invalid_model_input_is_named(small: BaseModel, tokens: Any) -> None:
    datum = TrainingDatum(tokens, {"target_tokens": tokens})
    with pytest.raises(EngineInputError) as error:
        Trainer(small, LoraSettings(rank=1)).forward([datum], "cross_entropy")
    assert error.value.where == "data[0].model_input"


def test_empty_data_is_rejected(small: BaseModel) -> None:
    with pytest.raises(EngineInputError, match="at least one datum"):
        Trainer(small, LoraSettings(rank=1)).forward([], "cross_entropy")


def test_weights_default_to_ones_and_unused_inputs_are_ignored(
    small: BaseModel, make_datum: Callable[..., TrainingDatum]
) -> None:
    trainer = Trainer(small, LoraSettings(rank=1))
    datum = make_datum(5, names=("logprobs", "advantages"))
    ones = changed(datum, weights=np.ones(5))
    metrics = trainer.forward([datum], "cross_entropy").metrics
    assert metrics == trainer.forward([ones], "cross_entropy").metrics
    assert metrics["weights:sum"] == 5


@pytest.mark.parametrize("loss", ["importance_sampling", "ppo"])
def test_overflowing_ratio_is_rejected_without_gradient(
    small: BaseModel, make_datum: Callable[..., TrainingDatum], loss: str
) -> None:
    """ppo clips the infinite loss to a finite one, but its gradient would be infinite."""
    trainer = Trainer(small, LoraSettings(rank=1))
    datum = make_datum(4, names=("logprobs", "advantages"))
    with pytest.raises(EngineInputError, match="overflows"):
        trainer.forward_backward([changed(datum, logprobs=np.full(4, -1e4))], loss)
    assert trainer.gradients() is None


def test_loss_names_are_those_of_release_0_38_0_and_the_overview() -> None:
    assert LOSS_NAMES == (
        "cross_entropy",
        "importance_sampling",
        "ppo",
        "cispo",
        "dro",
        "gspo",
        "stable_reinforce",
        "kl_divergence",
    )
