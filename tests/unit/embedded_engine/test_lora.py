"""Adapters: target matrices, initialization and merging."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.unit.embedded_engine.scored import prompt_logprobs
from tinker_ext.embedded.engine.errors import EngineInputError
from tinker_ext.embedded.engine.lora import (
    LORA_ALPHA,
    LoraSettings,
    initial_adapter,
    merged_weights,
    name_a,
    name_b,
    peft_config,
)
from tinker_ext.embedded.engine.merged import MergedCache, check_adapter
from tinker_ext.embedded.engine.model import BaseModel
from tinker_ext.embedded.engine.trainer import Trainer, TrainingDatum

ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
FEEDFORWARD = {"gate_proj", "up_proj", "down_proj"}


def kinds(names: object) -> set[str]:
    return {str(name).split(".lora_")[0].rsplit(".", 1)[-1] for name in names}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, ATTENTION | FEEDFORWARD | {"lm_head"}),
        ({"train_attn": False}, FEEDFORWARD | {"lm_head"}),
        ({"train_mlp": False}, ATTENTION | {"lm_head"}),
        ({"train_unembed": False}, ATTENTION | FEEDFORWARD),
        ({"train_attn": False, "train_mlp": False}, {"lm_head"}),
    ],
)
def test_flags_select_the_matrices(
    small: BaseModel,
    make_datum: Callable[..., TrainingDatum],
    flags: dict[str, bool],
    expected: set[str],
) -> None:
    settings = LoraSettings(rank=2, **flags)
    trainer = Trainer(small, settings)
    assert kinds(trainer.adapter()) == expected
    assert set(peft_config("m", settings, small.shape)["target_modules"]) == expected
    trainer.forward_backward([make_datum(8)], "cross_entropy")
    gradients = trainer.gradients()
    assert gradients is not None
    assert all(value.any() for name, value in gradients.items() if ".lora_B." in name)


def test_names_and_shapes_match_peft(small: BaseModel) -> None:
    adapter = initial_adapter(small, LoraSettings(rank=5))
    assert len(adapter) == 2 * (2 * 7 + 1)
    down = "base_model.model.model.layers.1.mlp.down_proj"
    assert adapter[f"{down}.lora_A.weight"].shape == (5, 24)
    assert adapter[f"{down}.lora_B.weight"].shape == (16, 5)
    assert adapter["base_model.model.lm_head.lora_B.weight"].shape == (258, 5)


def test_peft_config_contains_rank_and_alpha(small: BaseModel) -> None:
    config = peft_config("embedded/small", LoraSettings(rank=5), small.shape)
    assert (config["r"], config["lora_alpha"]) == (5, LORA_ALPHA)
    assert config["base_model_name_or_path"] == "embedded/small"


def test_initial_adapter_does_not_change_the_model(small: BaseModel) -> None:
    tokens = np.array([1, 2, 3, 4])
    adapter = initial_adapter(small, LoraSettings(rank=4))
    assert prompt_logprobs(small, adapter, tokens) == prompt_logprobs(small, None, tokens)


def test_seed_determines_each_matrix_independently(small: BaseModel) -> None:
    adapter = initial_adapter(small, LoraSettings(rank=4, seed=3))
    part = initial_adapter(small, LoraSettings(rank=4, seed=3, train_mlp=False))
    for name, value in part.items():
        np.testing.assert_array_equal(adapter[name], value)
    q, k = (f"model.layers.0.self_attn.{name}_proj" for name in "qk")
    assert not np.array_equal(adapter[name_a(q)], adapter[name_a(k)])
    assert not adapter[name_b(q)].any()


@pytest.mark.parametrize("seeds", [(1, 2), (None, None), (1, -1)])
def test_different_seeds_give_different_adapters(
    small: BaseModel, seeds: tuple[int | None, ...]
) -> None:
    left, right = (initial_adapter(small, LoraSettings(rank=4, seed=seed)) for seed in seeds)
    assert not np.array_equal(left[name_a("lm_head")], right[name_a("lm_head")])


def test_merged_weights_scale_by_alpha_over_rank(small: BaseModel) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 16)), rng.normal(size=(258, 4))
    merged = merged_weights(small, {name_a("lm_head"): a, name_b("lm_head"): b})
    expected = small.weights["lm_head.weight"] + LORA_ALPHA / 4 * b @ a
    np.testing.assert_allclose(merged["lm_head.weight"], expected)
    assert merged["model.norm.weight"] is small.weights["model.norm.weight"]


def test_merged_weights_give_the_logprobs_of_training(
    small: BaseModel,
    stirred: Callable[[LoraSettings], Trainer],
) -> None:
    trainer = stirred(LoraSettings(rank=3))
    tokens = np.array([9, 8, 7, 200, 256, 9])
    datum = TrainingDatum(tokens[:-1], {"target_tokens": tokens[1:]})
    trained = trainer.forward([datum], "cross_entropy").outputs[0]["logprobs"]
    scored = prompt_logprobs(small, trainer.adapter(), tokens).logprobs[1:]
    np.testing.assert_allclose(trained, np.array(scored, np.float64), rtol=1e-6)


@pytest.mark.parametrize("rank", [0, -1, 129])
def test_rank_out_of_range_is_rejected(rank: int) -> None:
    with pytest.raises(EngineInputError) as error:
        LoraSettings(rank=rank)
    assert error.value.where == "lora_config.rank"


def test_lora_without_target_modules_is_rejected() -> None:
    with pytest.raises(EngineInputError, match="at least one"):
        LoraSettings(train_attn=False, train_mlp=False, train_unembed=False)


def test_merged_cache_merges_once_and_evicts_the_oldest(small: BaseModel) -> None:
    cache = MergedCache(capacity=2)
    first, second, third = (initial_adapter(small, LoraSettings(rank=1, seed=s)) for s in range(3))
    merged = cache.get(small, first)
    copy = {name: value.copy() for name, value in first.items()}
    assert cache.get(small, copy) is merged
    cache.get(small, second)
    assert cache.get(small, first) is merged
    cache.get(small, third)
    assert cache.get(small, first) is merged
    assert cache.get(small, None) is cache.get(small, {}) is small.weights


def test_adapter_of_another_model_is_rejected(small: BaseModel, tiny: BaseModel) -> None:
    adapter = initial_adapter(tiny, LoraSettings(rank=1))
    with pytest.raises(EngineInputError):
        check_adapter(small, adapter)
    own = initial_adapter(small, LoraSettings(rank=1))
    check_adapter(small, own)
    for broken in (
        {name: value for name, value in own.items() if name != name_b("lm_head")},
        {**own, "base_model.model.extra.lora_A.weight": np.ones((1, 16))},
        {**own, name_a("lm_head"): np.ones((2, 16))},
    ):
        with pytest.raises(EngineInputError):
            check_adapter(small, broken)
