"""Types and fields added in release 0.38.0: optimizers, sparse tensors, new response fields."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from tinker_api import models as api

from tinker_ext.errors import InvalidInputError
from tinker_ext.types import (
    AdamOptimizerConfig,
    AdamParams,
    Checkpoint,
    DimuonOptimizerConfig,
    DimuonParams,
    ExternalWeightsUrlsResponse,
    GetInfoResponse,
    OptimizerConfig,
    SampledSequence,
    SampleResponse,
    SaveWeightsExternalResponse,
    SupportedModel,
    TopkLogprobs,
    WeightsInfoResponse,
)
from tinker_ext.types.tensors.tensor_data import csr_to_dense

INFO: dict[str, Any] = {"base_model": "org/model", "is_lora": True}


def test_adam_weight_decay_and_grad_clip_norm_sent_if_not_zero(
    wire: Callable[[Any], Any],
) -> None:
    chosen = wire(AdamParams(weight_decay=0.1, grad_clip_norm=2))
    assert (chosen["weight_decay"], chosen["grad_clip_norm"]) == (0.1, 2)
    for name in ("weight_decay", "grad_clip_norm"):
        assert name not in wire(AdamParams())
        with pytest.raises(InvalidInputError, match=name):
            AdamParams(**{name: -1})


def test_optimizer_params_and_configs_sent_with_type(wire: Callable[[Any], Any]) -> None:
    assert wire(DimuonParams(0.1)) == {
        "type": "dimuon",
        "learning_rate": 0.1,
        "grad_clip_norm": 0.0,
        "beta1": 0.9,
    }
    assert wire(DimuonOptimizerConfig()) == {"type": "dimuon", "version": 1}
    assert wire(AdamOptimizerConfig()) == {"type": "adamw"}
    assert wire(OptimizerConfig("new", settings={"a": 1})) == {"type": "new", "a": 1}


@pytest.mark.parametrize(
    "arguments",
    [{"learning_rate": -1}, {"learning_rate": 1, "beta1": 1}, {"learning_rate": np.nan}],
)
def test_invalid_dimuon_params_rejected(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        DimuonParams(**arguments)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, AdamOptimizerConfig()),
        ({"optimizer_config": {"type": "adamw"}}, AdamOptimizerConfig()),
        ({"optimizer_config": {"type": "dimuon", "version": 1}}, DimuonOptimizerConfig()),
        (
            {"optimizer_config": {"type": "dimuon", "version": 2}},
            OptimizerConfig("dimuon", settings={"version": 2}),
        ),
        ({"optimizer_config": {"type": "x", "a": 1}}, OptimizerConfig("x", settings={"a": 1})),
    ],
)
def test_optimizer_config_of_model(config: dict[str, Any], expected: OptimizerConfig) -> None:
    info = WeightsInfoResponse.from_api(api.WeightsInfoResponse.from_dict({**INFO, **config}))
    assert info.optimizer_config == expected
    body = {"model_id": "m", "model_data": {}, **config}
    model = GetInfoResponse.from_api(api.GetInfoResponse.from_dict(body))
    assert model.optimizer_config == expected


def test_weights_info() -> None:
    layers = {"lora_rank": 8, "train_mlp": True, "train_attn": False, "train_unembed": None}
    info = WeightsInfoResponse.from_api(api.WeightsInfoResponse.from_dict({**INFO, **layers}))
    assert (info.base_model, info.is_lora, info.lora_rank) == ("org/model", True, 8)
    assert (info.train_mlp, info.train_attn, info.train_unembed) == (True, False, None)


def test_checkpoint_with_expiry() -> None:
    body = {
        "checkpoint_id": "weights/a",
        "checkpoint_type": "training",
        "time": "2026-01-02T03:04:05Z",
        "tinker_path": "tinker://run/weights/a",
        "user_metadata": {"k": "v"},
        "expires_at": "2026-01-03T03:04:05",
    }
    checkpoint = Checkpoint.from_api(api.Checkpoint.from_dict(body))
    assert checkpoint.expires_at == datetime(2026, 1, 3, 3, 4, 5, tzinfo=UTC)
    assert checkpoint.user_metadata == {"k": "v"}


def test_supported_model_uses() -> None:
    body = {"model_name": "a", "max_context_length": 32768, "trainable": False, "sampleable": True}
    model = SupportedModel.from_api(api.SupportedModel.from_dict(body))
    assert model == SupportedModel("a", 32768, trainable=False, sampleable=True)


def test_external_weights_responses() -> None:
    body: dict[str, Any] = {"urls": {"a/b.bin": "https://x.test/1"}, "expires": "2026-01-02"}
    weights = ExternalWeightsUrlsResponse.from_api(api.ExternalWeightsUrlsResponse.from_dict(body))
    assert weights.urls == {"a/b.bin": "https://x.test/1"}
    assert weights.expires == datetime(2026, 1, 2, tzinfo=UTC)
    saved = api.SaveWeightsExternalResponseInternal.from_dict({"path": "p", "size_bytes": 3})
    assert SaveWeightsExternalResponse.from_api(saved) == SaveWeightsExternalResponse("p", 3)
    with pytest.raises(ValueError, match="returned no path"):
        SaveWeightsExternalResponse.from_api(api.SaveWeightsExternalResponseInternal())


@pytest.mark.parametrize(
    ("crow", "columns", "message"),
    [
        ([0, 1], [0, 1], "expected 3 numbers for 2 rows, got 2"),
        ([0, 1, 3], [0, 1], "expected 2 values in 2 rows, got 3"),
        ([0, 2, 1], [0, 1], "row indices: expected numbers in ascending order"),
        ([0, 1, 2], [0], "expected 2 for 2 values, got 1"),
        ([0, 1, 2], [0, 2], "expected numbers from 0 to 1 for 2 columns, got 2"),
        ([0, 1, 2], [-1, 0], "expected numbers from 0 to 1 for 2 columns, got -1"),
    ],
)
def test_csr_to_dense_rejects_inconsistent_indices(
    crow: list[int], columns: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        csr_to_dense([1.0, 2.0], crow, columns, [2, 2])


def test_arrays_of_fields_not_requested_are_none() -> None:
    bare = SampledSequence("stop", [1])
    assert (bare.logprobs_np, bare.topk_logprobs_np) == (None, None)
    response = SampleResponse([bare])
    assert (response.prompt_logprobs_np, response.topk_prompt_logprobs_np) == (None, None)
    assert TopkLogprobs.from_rows([None]).token_ids.shape == (1, 0)
    assert TopkLogprobs.from_rows([]).logprobs.shape == (0, 0)


def test_topk_logprobs_of_is_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match="use from_rows"):
        assert TopkLogprobs.of([None]).token_ids.shape == (1, 0)
