"""Answers as servers write them, well and badly, and what users get to see."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from tinker_api import models as api

from tinker_ext.errors import RequestErrorCategory
from tinker_ext.types import (
    Checkpoint,
    CheckpointArchiveUrlResponse,
    CheckpointsListResponse,
    CreateModelResponse,
    Cursor,
    ForwardBackwardOutput,
    GetInfoResponse,
    GetServerCapabilitiesResponse,
    LoadWeightsResponse,
    LossFnType,
    OptimStepResponse,
    SampleResponse,
    SaveWeightsForSamplerResponse,
    SaveWeightsForSamplerResponseInternal,
    SaveWeightsResponse,
    StopReason,
    TrainingRun,
    TrainingRunsResponse,
    UnloadModelResponse,
)

CHECKPOINT = {
    "checkpoint_id": "weights/a",
    "checkpoint_type": "training",
    "time": "2026-01-02T03:04:05Z",
    "tinker_path": "tinker://run/weights/a",
}
RUN = {
    "training_run_id": "run",
    "base_model": "org/model",
    "model_owner": "me",
    "is_lora": True,
    "last_request_time": "2026-01-02T03:04:05",
}


def forward(body: dict[str, Any]) -> ForwardBackwardOutput:
    return ForwardBackwardOutput.from_api(api.ForwardBackwardOutput.from_dict(body))


def sample(body: dict[str, Any]) -> SampleResponse:
    return SampleResponse.from_api(api.SampleResponse.from_dict(body))


def test_a_forward_backward_answer() -> None:
    logprobs = {"data": [-0.5, -1], "dtype": "float32", "shape": [2]}
    output = forward(
        {
            "loss_fn_output_type": "TensorDataLossFnOutput",
            "loss_fn_outputs": [{"logprobs": logprobs}, {}],
            "metrics": {"loss:sum": 1.5},
        }
    )
    assert output.loss_fn_output_type == "TensorDataLossFnOutput"
    assert output.metrics == {"loss:sum": 1.5}
    assert [list(loss_fn_output) for loss_fn_output in output.loss_fn_outputs] == [["logprobs"], []]
    assert output.loss_fn_outputs[0]["logprobs"].data == [-0.5, -1]


def test_a_forward_backward_answer_with_holes() -> None:
    output = forward({"loss_fn_outputs": None, "metrics": None})
    assert output == ForwardBackwardOutput("", [], {})
    typeless = forward({"loss_fn_outputs": [], "metrics": {}, "loss_fn_output_type": None})
    assert typeless.loss_fn_output_type == ""


@pytest.mark.parametrize(
    ("body", "metrics"),
    [({}, None), ({"metrics": None}, None), ({"metrics": {"a/b": 1}}, {"a/b": 1})],
)
def test_optimizer_metrics_may_be_missing(body: dict[str, Any], metrics: Any) -> None:
    assert OptimStepResponse.from_api(api.OptimStepResponse.from_dict(body)).metrics == metrics


def test_a_sample_answer() -> None:
    response = sample(
        {
            "type": "sample",
            "sequences": [{"stop_reason": "length", "tokens": [1, 2], "logprobs": [-1, -2.5]}],
            "prompt_logprobs": [None, -0.5],
            "topk_prompt_logprobs": [None, [[5, -0.5], [6, -1]]],
        }
    )
    [sequence] = response.sequences
    assert (sequence.stop_reason, sequence.tokens) == ("length", [1, 2])
    assert sequence.logprobs == [-1, -2.5]
    assert response.prompt_logprobs == [None, -0.5]
    assert response.topk_prompt_logprobs == [None, [(5, -0.5), (6, -1)]]


def test_a_sample_answer_with_holes() -> None:
    assert sample({"sequences": None}) == SampleResponse([], None, None)
    [sequence] = sample({"sequences": [{"stop_reason": "eos", "tokens": []}]}).sequences
    assert (sequence.tokens, sequence.logprobs) == ([], None)
    with pytest.raises(ValueError, match=r"sequences\[0\]\.tokens: expected token ids, got null"):
        sample({"sequences": [{"stop_reason": "eos", "tokens": None}]})


@pytest.mark.parametrize("reason", ["length", "stop", "max_tokens", "stop_sequence", "eos", "new"])
def test_every_stop_reason_survives(reason: str) -> None:
    [sequence] = sample({"sequences": [{"stop_reason": reason, "tokens": []}]}).sequences
    assert sequence.stop_reason == reason


def test_the_known_words_of_open_enums() -> None:
    reasons, _ = get_args(StopReason)
    assert set(get_args(reasons)) == {"length", "stop", "max_tokens", "stop_sequence", "eos"}
    losses, _ = get_args(LossFnType)
    assert {"cross_entropy", "importance_sampling", "ppo", "kl_divergence"} < set(get_args(losses))
    assert [category.value for category in RequestErrorCategory] == ["unknown", "server", "user"]


def test_checkpoints() -> None:
    page = CheckpointsListResponse.from_api(
        api.CheckpointsListResponse.from_dict(
            {
                "checkpoints": [CHECKPOINT, {**CHECKPOINT, "checkpoint_type": "external"}],
                "cursor": {"offset": 0, "limit": 2, "total_count": 9},
            }
        )
    )
    first, second = page.checkpoints
    assert first == Checkpoint(
        "weights/a",
        "training",
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "tinker://run/weights/a",
        size_bytes=None,
        public=False,
    )
    assert second.checkpoint_type == "external"
    assert page.cursor == Cursor(0, 2, 9)


@pytest.mark.parametrize("body", [{"checkpoints": None}, {"checkpoints": [], "cursor": None}])
def test_a_list_of_checkpoints_may_be_missing(body: dict[str, Any]) -> None:
    page = CheckpointsListResponse.from_api(api.CheckpointsListResponse.from_dict(body))
    assert page == CheckpointsListResponse([], None)


def test_training_runs() -> None:
    cursor = {"offset": 20, "limit": 20, "total_count": 21}
    full = {**RUN, "last_checkpoint": CHECKPOINT, "user_metadata": {"a": "b"}, "lora_rank": 8}
    page = TrainingRunsResponse.from_api(
        api.TrainingRunsResponse.from_dict({"training_runs": [RUN, full], "cursor": cursor})
    )
    bare, rich = page.training_runs
    assert page.cursor.total_count == 21
    assert bare == TrainingRun(
        "run", "org/model", "me", True, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    )
    assert rich.last_checkpoint is not None
    assert rich.last_checkpoint.checkpoint_id == "weights/a"
    assert (rich.last_sampler_checkpoint, rich.user_metadata, rich.lora_rank) == (
        None,
        {"a": "b"},
        8,
    )


def test_what_a_server_says_of_itself() -> None:
    read = GetServerCapabilitiesResponse.from_api
    models = [{"model_name": "a"}, {"model_id": "b"}, {}]
    response = read(api.GetServerCapabilitiesResponse.from_dict({"supported_models": models}))
    assert [model.model_name for model in response.supported_models] == ["a", "b", None]
    none = read(api.GetServerCapabilitiesResponse.from_dict({"supported_models": None}))
    assert none.supported_models == []


def test_what_a_model_is() -> None:
    body: dict[str, Any] = {"model_id": "m", "model_data": {"model_name": "a"}}
    info = GetInfoResponse.from_api(api.GetInfoResponse.from_dict(body))
    assert (info.model_id, info.model_data.model_name) == ("m", "a")
    assert (info.model_data.tokenizer_id, info.is_lora, info.lora_rank) == (None, None, None)


def test_saving_loading_and_creating() -> None:
    path = {"path": "tinker://run/weights/a"}
    save = SaveWeightsResponse.from_api(api.SaveWeightsResponse.from_dict(path))
    load = LoadWeightsResponse.from_api(api.LoadWeightsResponse.from_dict({}))
    sampler = SaveWeightsForSamplerResponse.from_api(
        api.SaveWeightsForSamplerResponse.from_dict(path)
    )
    session = SaveWeightsForSamplerResponseInternal.from_api(
        api.SaveWeightsForSamplerResponseInternal.from_dict({"sampling_session_id": "s"})
    )
    assert (save.path, load.path, sampler.path) == (path["path"], None, path["path"])
    assert (session.path, session.sampling_session_id) == (None, "s")
    model = {"model_id": "m"}
    assert CreateModelResponse.from_api(api.CreateModelResponse(**model)).model_id == "m"
    assert UnloadModelResponse.from_api(api.UnloadModelResponse(**model)).model_id == "m"


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05", "2026-01-02T05:04:05+02:00"])
def test_an_archive_expires_at_a_time_with_a_zone(text: str) -> None:
    model = api.CheckpointArchiveUrlResponse.from_dict({"url": "https://x.test", "expires": text})
    archive = CheckpointArchiveUrlResponse.from_api(model)
    assert archive.expires == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert archive.expires.tzinfo is UTC
