"""Cancelled samples, clients that share a sampling session, and server flags."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.unit.embedded.conftest import Api, OpenApi
from tinker_ext.embedded.app import build_app
from tinker_ext.embedded.backend import Backend
from tinker_ext.embedded.flags import parse_flag

# More than a minute of sampling.
LONG = {"max_tokens": 900, "stop": []}


async def new_sampler(api: Api) -> str:
    response = await api.post(
        "create_sampling_session",
        session_id=api.session_id or await api.new_session(),
        sampling_session_seq_id=0,
        base_model="embedded/tiny",
    )
    sampler: str = response.json()["sampling_session_id"]
    return sampler


async def submit_long_sample(api: Api, sampler: str, number: int) -> str:
    body = api.sample_body(sampling_session_id=sampler, seq_id=number, sampling_params=LONG)
    return await api.submit("asample", **{**body, "num_samples": 512})


async def wait_until_running(api: Api, request_id: str) -> None:
    async with asyncio.timeout(30):
        while request_id not in api.backend.sampler._running:  # noqa: ASYNC110  # no event is set
            await asyncio.sleep(0.01)


async def test_cancelled_samples_fail_and_later_ones_run(api: Api) -> None:
    sampler = await new_sampler(api)
    running = await submit_long_sample(api, sampler, 0)
    await wait_until_running(api, running)
    waiting = await submit_long_sample(api, sampler, 1)
    for request_id in (waiting, running, running):
        assert (await api.post("cancel_future", request_id=request_id)).status_code == 200
    for request_id in (running, waiting):
        response = await api.result(request_id)
        assert (response["category"], response["error"]) == ("user", "cancelled by its client")
    async with asyncio.timeout(20):
        body = api.sample_body(sampling_session_id=sampler, seq_id=2)
        assert (await api.done("asample", **body))["sequences"]
    target = {"sampling_session_id": sampler}
    completed = (await api.post("retrieve_futures", target=target)).json()["completions"]
    assert [item["state"] for item in completed] == ["failed", "failed", "finished"]


async def test_cancel_of_completed_or_unknown_request_has_no_effect(api: Api) -> None:
    body = api.sample_body(sampling_session_id=await new_sampler(api), seq_id=0)
    completed = await api.submit("asample", **body)
    response = await api.result(completed)
    for request_id in (completed, "unknown"):
        assert (await api.post("cancel_future", request_id=request_id)).status_code == 200
    assert await api.result(completed) == response


async def test_join_sampling_session_returns_a_new_client_counter(open_api: OpenApi) -> None:
    async with open_api("0.38") as api:
        sampler = await new_sampler(api)
        for number in (1, 2):
            joined = await api.post("join_sampling_session", sampling_session_id=sampler)
            assert joined.json() == {"type": "join_sampling_session", "client_counter": number}
        unknown = await api.post("join_sampling_session", sampling_session_id="x")
        assert unknown.status_code == 404
    async with open_api("0.38") as api:
        joined = await api.post("join_sampling_session", sampling_session_id=sampler)
        assert joined.json()["client_counter"] == 3, "the counter survives a restart"


async def test_flags_are_sent_in_the_response_that_defines_them(open_api: OpenApi) -> None:
    flags = {"sample_use_retrieve_futures": True, "sample_cancel_max_batch_size": 8}
    async with open_api("0.38", flags=flags) as api:
        config = (await api.post("client/config", sdk_version="0.38.0")).json()
        dynamic = (await api.post("client/dynamic_config", sdk_version="0.38.0")).json()
    assert config["sample_use_retrieve_futures"] is True
    assert config["parallel_fwdbwd_chunks"] is True, "the clients' default"
    assert "sample_cancel_max_batch_size" not in config
    assert dynamic["sample_cancel_max_batch_size"] == 8
    assert dynamic["sample_cancel_enabled"] is False


@pytest.mark.parametrize(
    ("protocol", "flags", "message"),
    [
        ("0.38", {"no_such_flag": True}, "no flag 'no_such_flag'"),
        ("0.4.1", {"sample_use_retrieve_futures": True}, "no flag 'sample_use_retrieve_futures'"),
        ("0.25", {"sample_use_retrieve_futures": True}, "no flag"),
        (
            "0.38",
            {"sample_use_retrieve_futures": "yes"},
            "expected a value of type bool, got 'yes'",
        ),
        ("any", {"sample_max_concurrent_requests": True}, "expected a value of type int, got True"),
    ],
)
async def test_unknown_or_mistyped_flag_is_rejected(
    tmp_path: Path, protocol: str, flags: dict[str, Any], message: str
) -> None:
    backend = Backend(tmp_path / "state", flags=flags)
    with pytest.raises(RuntimeError, match=message):
        build_app(backend, protocol)
    await backend.close()


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("a=true", ("a", True)),
        ("a=7", ("a", 7)),
        ("a=api_key", ("a", "api_key")),
        ("a=", ("a", "")),
    ],
)
def test_parse_flag_reads_json_or_text_value(text: str, flag: tuple[str, Any]) -> None:
    assert parse_flag(text) == flag


@pytest.mark.parametrize("text", ["a", "=1", ""])
def test_parse_flag_rejects_other_forms(text: str) -> None:
    with pytest.raises(ValueError, match="NAME=VALUE"):
        parse_flag(text)
