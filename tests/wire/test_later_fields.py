"""Fields added after release 0.4.1: sent only if they differ from their defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tinker_ext import types
from tinker_ext.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.testing import Received

PATH = "tinker://run-1/weights/a"
TARGETS = types.TensorData([[5, -1], [6, 7]])
ROW = [[5, -0.5], [6, -1.0]]


class Later(FakeServer):
    """Responds to samples like release 0.38.0."""

    def script_sample(self, **more: Any) -> None:
        sequence = {"stop_reason": "length", "tokens": [1, 2], "logprobs": [-1, -2]}
        sequence["topk_logprobs"] = [ROW, None]
        reply = self.submitted({"sequences": [sequence, sequence], **more})
        body = {**reply.body, "sample_sequence_ids": ["s:0", "s:1"]}
        self.respond("asample", Reply(200, body))


@pytest.fixture
def server() -> Later:
    return Later()


@pytest.fixture
def training(service: tinker.ServiceClient) -> tinker.TrainingClient:
    return service.create_lora_training_client("fake/model")


@pytest.fixture
def sampler(service: tinker.ServiceClient) -> tinker.SamplingClient:
    return service.create_sampling_client(base_model="fake/model")


def test_default_fields_are_not_sent(
    server: Later,
    training: tinker.TrainingClient,
    sampler: tinker.SamplingClient,
    fits: Callable[[Received, str], None],
) -> None:
    training.optim_step(tinker.AdamParams()).result(10)
    training.save_state("a").result(10)
    training.load_state(PATH).result(10)
    training.save_weights_for_sampler("a").result(10)
    sampler.sample(PROMPT, 2, PARAMS, include_prompt_logprobs=True).result(10)
    for name in ("optim_step", "save_weights", "load_weights", "save_weights_for_sampler"):
        fits(server.calls(name)[0], "0.4.1")
    fits(server.calls("asample")[0], "0.4.1")


def test_given_fields_are_sent_as_in_0_38_0(
    server: Later, training: tinker.TrainingClient, fits: Callable[[Received, str], None]
) -> None:
    training.optim_step(tinker.AdamParams(weight_decay=0.1, grad_clip_norm=1)).result(10)
    training.save_state("a", 3600, overwrite=True, user_metadata={"k": "v"}).result(10)
    training.load_state_with_optimizer(PATH, "secret").result(10)
    training.load_state(PATH, optimizer=False).result(10)
    training.save_weights_for_sampler("a", 3600, {"k": "v"}).result(10)
    server.respond(
        "save_weights_external",
        server.submitted({"path": "tinker://run-1/external_weights/a", "size_bytes": 7}),
    )
    external = training.save_weights_external("a", 3600, ["age1key"]).result(10)
    assert external == types.SaveWeightsExternalResponse("tinker://run-1/external_weights/a", 7)

    [step] = server.calls("optim_step")
    assert step.body["adam_params"]["weight_decay"] == 0.1
    assert step.body["adam_params"]["grad_clip_norm"] == 1
    [save] = server.calls("save_weights")
    later = ("ttl_seconds", "overwrite", "user_metadata")
    assert [save.body[name] for name in later] == [3600, True, {"k": "v"}]
    first, second = server.calls("load_weights")
    assert (first.body["optimizer"], first.body["weights_access_token"]) == (True, "secret")
    assert second.body["optimizer"] is False
    [sampler_save] = server.calls("save_weights_for_sampler")
    assert (sampler_save.body["ttl_seconds"], sampler_save.body["user_metadata"]) == (
        3600,
        {"k": "v"},
    )
    [external_save] = server.calls("save_weights_external")
    assert external_save.body["age_encryption_recipients"] == ["age1key"]
    calls = (step, save, first, second, sampler_save, external_save)
    for call in calls:
        fits(call, "0.38")
    assert [call.body["seq_id"] for call in calls] == [1, 2, 3, 4, 5, 6]


def test_requested_sample_fields_are_returned(
    server: Later, sampler: tinker.SamplingClient, fits: Callable[[Received, str], None]
) -> None:
    tokens = {"data": [3, 4, 5, 6], "dtype": "int64", "shape": [2, 2]}
    logprobs = {"data": [-1.0, -2.0, -3.0, -4.0], "dtype": "float32", "shape": [2, 2]}
    server.script_sample(
        prompt_logprobs=[None, None, -0.5],
        topk_prompt_logprobs=[None, None, ROW],
        target_prompt_logprobs={
            "data": [-1.0, -2.0],
            "dtype": "float32",
            "shape": [2, 2],
            "sparse_crow_indices": [0, 1, 2],
            "sparse_col_indices": [0, 1],
        },
        prompt_cache_hit_tokens=2,
        prompt_alt_tokens={"tokens": tokens, "logprobs": logprobs},
    )
    result = sampler.sample(
        PROMPT,
        2,
        PARAMS,
        include_prompt_logprobs=True,
        topk_prompt_logprobs=2,
        topk_sample_logprobs=2,
        target_prompt_logprobs=TARGETS,
        prompt_alt_tokens_k=2,
        prompt_logprobs_last_n=1,
    ).result(10)

    [sent] = server.calls("asample")
    fits(sent, "0.38")
    assert sent.body["topk_sample_logprobs"] == sent.body["prompt_alt_tokens_k"] == 2
    assert sent.body["prompt_logprobs_last_n"] == 1
    target = {"data": [5, -1, 6, 7], "dtype": "int64", "shape": [2, 2]}
    assert sent.body["target_prompt_logprobs"] == target

    first, second = result.sequences
    assert (first.sequence_id, second.sequence_id) == ("s:0", "s:1")
    assert first.topk_logprobs == [[(5, -0.5), (6, -1.0)], None]
    assert first.topk_logprobs_np is not None
    assert first.topk_logprobs_np.token_ids.tolist() == [[5, 6], [0, 0]]
    assert first.topk_logprobs_np.logprobs.tolist() == [[-0.5, -1], [-99999, -99999]]
    assert first.tokens_np.dtype == np.int32
    assert first.logprobs_np is not None
    assert first.logprobs_np.tolist() == [-1, -2]
    assert result.prompt_cache_hit_tokens == 2
    assert result.target_prompt_logprobs is not None
    assert result.target_prompt_logprobs.tolist() == [[-1, 0], [0, -2]]
    assert result.prompt_alt_tokens is not None
    assert result.prompt_alt_tokens.tokens.tolist() == [[3, 4], [5, 6]]
    assert result.prompt_alt_tokens.logprobs.tolist() == [[-1, -2], [-3, -4]]
    assert result.prompt_logprobs_np is not None
    assert np.isnan(result.prompt_logprobs_np[:2]).all()
    assert result.topk_prompt_logprobs_np is not None
    assert result.topk_prompt_logprobs_np.token_ids.shape == (3, 2)


@pytest.mark.parametrize(
    "options",
    [
        {"topk_sample_logprobs": 2},
        {"target_prompt_logprobs": TARGETS},
        {"prompt_alt_tokens_k": 2},
        {"prompt_logprobs_last_n": 1, "include_prompt_logprobs": True},
    ],
)
def test_result_without_a_requested_field_raises(
    server: Later, sampler: tinker.SamplingClient, options: dict[str, Any]
) -> None:
    sequence = {"stop_reason": "length", "tokens": [1, 2], "logprobs": [-1, -2]}
    result = {"sequences": [sequence], "prompt_logprobs": [None, -1, -1]}
    server.respond("asample", server.submitted(result))
    with pytest.raises(tinker.APIResponseValidationError, match=next(iter(options))):
        sampler.sample(PROMPT, 1, PARAMS, **options).result(10)


@pytest.mark.parametrize(
    ("where", "options"),
    [
        ("topk_sample_logprobs", {"topk_sample_logprobs": -1}),
        ("prompt_alt_tokens_k", {"prompt_alt_tokens_k": -1}),
        ("prompt_logprobs_last_n", {"prompt_logprobs_last_n": 1}),
        (
            "prompt_logprobs_last_n",
            {"prompt_logprobs_last_n": 0, "include_prompt_logprobs": True},
        ),
        (
            "prompt_logprobs_last_n",
            {"prompt_logprobs_last_n": 3, "include_prompt_logprobs": True},
        ),
        ("target_prompt_logprobs", {"target_prompt_logprobs": types.TensorData([[0.5], [1.0]])}),
        ("target_prompt_logprobs", {"target_prompt_logprobs": types.TensorData([1, 2])}),
        ("target_prompt_logprobs", {"target_prompt_logprobs": types.TensorData([[1], [2], [3]])}),
    ],
)
def test_invalid_sample_options_raise_and_send_nothing(
    server: Later, sampler: tinker.SamplingClient, where: str, options: dict[str, Any]
) -> None:
    with pytest.raises(tinker.InvalidInputError) as caught:
        sampler.sample(PROMPT, 1, PARAMS, **options)
    assert caught.value.where == where
    assert not server.calls("asample")


def test_compute_logprobs_of_the_last_tokens(server: Later, sampler: tinker.SamplingClient) -> None:
    sequence = {"stop_reason": "length", "tokens": [1], "logprobs": [-1]}
    result = {"sequences": [sequence], "prompt_logprobs": [None, None, -0.5]}
    server.respond("asample", server.submitted(result))
    assert sampler.compute_logprobs(PROMPT, 1).result(10) == [None, None, -0.5]
    [sent] = server.calls("asample")
    assert (sent.body["prompt_logprobs"], sent.body["prompt_logprobs_last_n"]) == (True, 1)


@pytest.mark.parametrize("seconds", [0, -1, 1.5, True])
def test_invalid_ttl_raises_and_sends_nothing(
    server: Later, training: tinker.TrainingClient, seconds: Any
) -> None:
    with pytest.raises(tinker.InvalidInputError, match="ttl_seconds"):
        training.save_state("a", ttl_seconds=seconds)
    assert not server.calls("save_weights")


def test_mismatched_sequence_ids_are_dropped(server: Later, sampler: tinker.SamplingClient) -> None:
    server.script_sample()
    assert sampler.sample(PROMPT, 2, PARAMS).result(10).sequences[0].sequence_id == "s:0"
    reply = server.submitted({"sequences": [{"stop_reason": "stop", "tokens": [1]}]})
    server.respond("asample", Reply(200, {**reply.body, "sample_sequence_ids": []}))
    assert sampler.sample(PROMPT, 1, PARAMS).result(10).sequences[0].sequence_id is None


def test_loading_without_optimizer_raises_if_the_field_is_rejected(
    server: Later, training: tinker.TrainingClient
) -> None:
    unknown = [{"type": "extra_forbidden", "loc": ["body", "optimizer"], "msg": "not permitted"}]

    def old(received: Received) -> Reply:
        if "optimizer" in received.body:
            return Reply(422, {"detail": unknown})
        return server.default_reply(received)

    server.respond_always("load_weights", old)
    training.load_state_with_optimizer(PATH).result(10)
    with pytest.raises(tinker.UnprocessableEntityError, match="optimizer"):
        training.load_state(PATH, optimizer=False).result(10)
    training.load_state_with_optimizer(PATH).result(10)
    optimizer = [call.body.get("optimizer") for call in server.calls("load_weights")]
    assert optimizer == [True, None, False, None]
