"""Samples: single requests, large batches and invalid requests."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.unit.embedded.conftest import Api
from tinker_ext.embedded.execution.training import KEPT_SAMPLERS

BASE = {"base_model": "embedded/tiny"}


async def new_sampler(api: Api, **source: Any) -> str:
    response = await api.post(
        "create_sampling_session",
        session_id=api.session_id or await api.new_session(),
        sampling_session_seq_id=7,
        **source,
    )
    assert response.status_code == 200, response.text
    sampler: str = response.json()["sampling_session_id"]
    return sampler


async def test_sample_response_has_requested_fields_and_is_repeatable(api: Api) -> None:
    body = api.sample_body(
        **BASE,
        num_samples=3,
        prompt_logprobs=True,
        topk_prompt_logprobs=2,
        sampling_params={"max_tokens": 5, "temperature": 0.7, "top_k": 10, "seed": 3},
    )
    response = await api.done("asample", **body)
    assert response["type"] == "sample"
    assert len(response["sequences"]) == 3
    for sequence in response["sequences"]:
        assert sequence["stop_reason"] in ("length", "stop")
        assert len(sequence["tokens"]) == len(sequence["logprobs"]) <= 5
        assert all(value <= 0 for value in sequence["logprobs"])
    size = len(body["prompt"]["chunks"][0]["tokens"])
    assert len(response["prompt_logprobs"]) == len(response["topk_prompt_logprobs"]) == size
    assert response["prompt_logprobs"][0] is None is response["topk_prompt_logprobs"][0]
    assert [len(pairs) for pairs in response["topk_prompt_logprobs"][1:]] == [2] * (size - 1)
    again = await api.done("asample", **body)
    assert again == response, "the seed makes samples repeatable"


async def test_sample_response_has_no_other_fields(api: Api) -> None:
    response = await api.done("asample", **api.sample_body(**BASE))
    assert response.keys() == {"type", "sequences"}


async def test_four_hundred_concurrent_samples_complete_within_seconds(api: Api) -> None:
    sampler = await new_sampler(api, **BASE)
    await api.done("asample", **api.sample_body(sampling_session_id=sampler))

    async def sample(number: int) -> dict[str, Any]:
        body = api.sample_body(
            sampling_session_id=sampler, seq_id=number, sampling_params={"max_tokens": 32}
        )
        return await api.done("asample", **body)

    started = time.perf_counter()
    responses = await asyncio.gather(*(sample(number) for number in range(400)))
    assert time.perf_counter() - started < 30, "measured at 2 s"
    assert all(len(response["sequences"]) == 1 for response in responses)


async def test_invalid_request_does_not_fail_its_batch(api: Api) -> None:
    sampler = await new_sampler(api, **BASE)
    good = api.sample_body(sampling_session_id=sampler)
    bad = {**good, "sampling_params": {"max_tokens": 4, "top_p": 7}}
    responses = await asyncio.gather(*(api.done("asample", **item) for item in (good, bad, good)))
    assert ["sequences" in response for response in responses] == [True, False, True]
    assert responses[1]["category"] == "user"
    assert "top_p" in responses[1]["error"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"num_samples": 0}, "num_samples"),
        ({"num_samples": 10**6}, "num_samples"),
        ({"prompt": {"chunks": []}}, "prompt"),
        ({"prompt": {"chunks": [{"tokens": [99999]}]}}, "prompt"),
        ({"prompt": {"chunks": [{"tokens": [65] * 2000}]}}, "prompt"),
        (
            {
                "prompt": {
                    "chunks": [
                        {"format": "png", "height": 1, "width": 1, "tokens": 1, "location": "x"}
                    ]
                }
            },
            "prompt.chunks[0]",
        ),
        ({"sampling_params": {"max_tokens": 10**6}}, "max_tokens"),
        ({"sampling_params": {"temperature": -1}}, "temperature"),
        ({"topk_prompt_logprobs": 10**6}, "topk_prompt_logprobs"),
    ],
)
async def test_invalid_sample_request_names_the_field(
    api: Api, changes: dict[str, Any], field: str
) -> None:
    response = await api.done("asample", **api.sample_body(**BASE, **changes))
    assert response["category"] == "user"
    assert field in response["error"]


async def test_prompt_of_full_context_is_scored_without_new_tokens(api: Api) -> None:
    body = api.sample_body(
        **BASE,
        prompt={"chunks": [{"tokens": [65] * 1024}]},
        prompt_logprobs=True,
        sampling_params={"max_tokens": 1},
    )
    response = await api.done("asample", **body)
    assert len(response["prompt_logprobs"]) == 1024
    assert response["sequences"] == [{"tokens": [], "logprobs": [], "stop_reason": "length"}]


async def test_stop_accepts_strings_and_token_ids(api: Api) -> None:
    for stop in ("e", ["e", "zz"], [ord("e")]):
        body = api.sample_body(**BASE, sampling_params={"max_tokens": 200, "seed": 1, "stop": stop})
        (sequence,) = (await api.done("asample", **body))["sequences"]
        assert sequence["stop_reason"] == "stop"
        assert sequence["tokens"][-1] in (ord("e"), 256)


@pytest.mark.parametrize(
    ("source", "status", "message"),
    [
        ({}, 422, "base_model"),
        ({"base_model": "other/model"}, 404, "this server has embedded/tiny"),
        ({"model_path": "weights/a"}, 422, "not a checkpoint path"),
        ({"model_path": "tinker://unknown/weights/a"}, 404, "there is no checkpoint"),
    ],
)
async def test_unknown_weights_are_rejected_on_submission(
    api: Api, source: dict[str, Any], status: int, message: str
) -> None:
    session = await api.new_session()
    opened = await api.post(
        "create_sampling_session", session_id=session, sampling_session_seq_id=0, **source
    )
    sampled = await api.post("asample", **api.sample_body(**source))
    for response in (opened, sampled):
        assert response.status_code == status
        assert message in response.text
    unknown = await api.post("asample", **api.sample_body(sampling_session_id="unknown"))
    assert unknown.status_code == 404


async def test_training_checkpoint_can_be_sampled_until_it_is_deleted(api: Api) -> None:
    await api.new_model()
    saved = await api.done("save_weights", model_id=api.model_id, seq_id=1, path="a")
    sampler = await new_sampler(api, model_path=saved["path"], base_model="embedded/tiny")
    body = api.sample_body(sampling_session_id=sampler)
    assert "sequences" in await api.done("asample", **body)
    url = f"/api/v1/training_runs/{api.model_id}/checkpoints/weights/a"
    await api.http.delete(url)
    assert (await api.post("asample", **body)).status_code == 404


async def test_oldest_unlisted_weights_are_deleted_beyond_the_limit(api: Api) -> None:
    await api.new_model(rank=1, train_attn=False, train_mlp=False)
    samplers = [
        (
            await api.done(
                "save_weights_for_sampler",
                model_id=api.model_id,
                seq_id=number + 1,
                sampling_session_seq_id=number,
            )
        )["sampling_session_id"]
        for number in range(KEPT_SAMPLERS + 1)
    ]
    expired = await api.post("asample", **api.sample_body(sampling_session_id=samplers[0]))
    assert expired.status_code == 404
    assert "save weights under a name" in expired.json()["detail"]
    assert "sequences" in await api.done(
        "asample", **api.sample_body(sampling_session_id=samplers[1])
    )
    assert len(list((api.backend.files.root / "samplers").iterdir())) == KEPT_SAMPLERS


async def test_concurrent_samples_use_their_own_weights(api: Api) -> None:
    await api.new_model()
    await api.forward_backward(1)
    await api.optim_step(2, learning_rate=0.05)
    named = await api.done("save_weights_for_sampler", model_id=api.model_id, seq_id=3, path="s")
    greedy = {"sampling_params": {"max_tokens": 8, "temperature": 0}}
    bodies = [
        api.sample_body(**source, **greedy)
        for source in (BASE, {"model_path": named["path"]}, BASE, {"model_path": named["path"]})
    ]
    alone = [await api.done("asample", **body) for body in bodies[:2]]
    assert alone[0] != alone[1]
    together = await asyncio.gather(*(api.done("asample", **body) for body in bodies))
    assert [item["sequences"][0]["tokens"] for item in together] == [
        item["sequences"][0]["tokens"] for item in alone * 2
    ]


async def test_sample_seq_id_of_cloned_client_can_exceed_2_to_53(api: Api) -> None:
    sampler = await new_sampler(api, **BASE)
    body = api.sample_body(sampling_session_id=sampler, seq_id=10**18 + 1)
    assert (await api.done("asample", **body))["sequences"]
    assert (await api.post("asample", **{**body, "seq_id": 2**63})).status_code == 422
