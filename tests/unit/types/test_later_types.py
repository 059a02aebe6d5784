"""What release 0.38.0 added to the types: optimizers, matrices in compressed rows, new fields."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

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
from tinker_ext.types.tensors.sparse import csr_to_dense

if TYPE_CHECKING:
    from collections.abc import Callable

INFO: dict[str, Any] = {"base_model": "org/model", "is_lora": True}


def test_adam_s_later_settings_are_sent_where_they_do_something(
    wire: Callable[[Any], Any],
) -> None:
    chosen = wire(AdamParams(weight_decay=0.1, grad_clip_norm=2))
    assert (chosen["weight_decay"], chosen["grad_clip_norm"]) == (0.1, 2)
    for name in ("weight_decay", "grad_clip_norm"):
        assert name not in wire(AdamParams())
        with pytest.raises(InvalidInputError, match=name):
            AdamParams(**{name: -1})


def test_dimuon_is_sent_with_its_name(wire: Callable[[Any], Any]) -> None:
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
    "given", [{"learning_rate": -1}, {"learning_rate": 1, "beta1": 1}, {"learning_rate": np.nan}]
)
def test_a_step_that_no_optimizer_takes_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        DimuonParams(**given)


@pytest.mark.parametrize(
    ("config", "read"),
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
def test_the_optimizer_of_a_model_is_read(config: dict[str, Any], read: OptimizerConfig) -> None:
    info = WeightsInfoResponse.from_api(api.WeightsInfoResponse.from_dict({**INFO, **config}))
    assert info.optimizer_config == read
    body = {"model_id": "m", "model_data": {}, **config}
    model = GetInfoResponse.from_api(api.GetInfoResponse.from_dict(body))
    assert model.optimizer_config == read


def test_what_saved_weights_are_of() -> None:
    layers = {"lora_rank": 8, "train_mlp": True, "train_attn": False, "train_unembed": None}
    info = WeightsInfoResponse.from_api(api.WeightsInfoResponse.from_dict({**INFO, **layers}))
    assert (info.base_model, info.is_lora, info.lora_rank) == ("org/model", True, 8)
    assert (info.train_mlp, info.train_attn, info.train_unembed) == (True, False, None)


def test_a_checkpoint_may_end() -> None:
    body = {
        "checkpoint_id": "weights/a",
        "checkpoint_type": "training",
        "time": "2026-01-02T03:04:05Z",
        "tinker_path": "tinker://run/weights/a",
        "user_metadata": {"k": "v"},
        "expires_at": "2026-01-03T03:04:05",
    }
    read = Checkpoint.from_api(api.Checkpoint.from_dict(body))
    assert read.expires_at == datetime(2026, 1, 3, 3, 4, 5, tzinfo=UTC)
    assert read.user_metadata == {"k": "v"}


def test_a_model_s_uses_are_read() -> None:
    body = {"model_name": "a", "max_context_length": 32768, "trainable": False, "sampleable": True}
    read = SupportedModel.from_api(api.SupportedModel.from_dict(body))
    assert read == SupportedModel("a", 32768, trainable=False, sampleable=True)


def test_weights_for_use_elsewhere() -> None:
    body: dict[str, Any] = {"urls": {"a/b.bin": "https://x.test/1"}, "expires": "2026-01-02"}
    read = ExternalWeightsUrlsResponse.from_api(api.ExternalWeightsUrlsResponse.from_dict(body))
    assert read.urls == {"a/b.bin": "https://x.test/1"}
    assert read.expires == datetime(2026, 1, 2, tzinfo=UTC)
    saved = api.SaveWeightsExternalResponseInternal.from_dict({"path": "p", "size_bytes": 3})
    assert SaveWeightsExternalResponse.from_api(saved) == SaveWeightsExternalResponse("p", 3)
    with pytest.raises(ValueError, match="did not say where"):
        SaveWeightsExternalResponse.from_api(api.SaveWeightsExternalResponseInternal())


@pytest.mark.parametrize(
    ("crow", "columns"),
    [
        ([0, 1], [0, 1]),
        ([0, 1, 3], [0, 1]),
        ([0, 2, 1], [0, 1]),
        ([0, 1, 2], [0]),
        ([0, 1, 2], [0, 2]),
        ([0, 1, 2], [-1, 0]),
    ],
)
def test_compressed_rows_that_fit_nothing_are_an_error(crow: list[int], columns: list[int]) -> None:
    with pytest.raises(ValueError, match="don't"):
        csr_to_dense([1.0, 2.0], crow, columns, [2, 2])


def test_the_arrays_of_what_was_not_asked_for() -> None:
    bare = SampledSequence("stop", [1])
    assert (bare.logprobs_np, bare.topk_logprobs_np) == (None, None)
    response = SampleResponse([bare])
    assert (response.prompt_logprobs_np, response.topk_prompt_logprobs_np) == (None, None)
    assert TopkLogprobs.of([None]).token_ids.shape == (1, 0)
    assert TopkLogprobs.of([]).logprobs.shape == (0, 0)
