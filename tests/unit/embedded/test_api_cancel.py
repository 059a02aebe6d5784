"""Samples that are given up, clients that join, and what the server announces to them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tinker_ext.embedded.app import build_app
from tinker_ext.embedded.backend import Backend
from tinker_ext.embedded.flags import parse_flag

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.embedded.conftest import Api, OpenApi

# A minute of work and more.
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


async def long_one(api: Api, sampler: str, number: int) -> str:
    body = api.sample_body(sampling_session_id=sampler, seq_id=number, sampling_params=LONG)
    return await api.submit("asample", **{**body, "num_samples": 512})


async def at_work(api: Api, request_id: str) -> None:
    async with asyncio.timeout(30):
        while request_id not in api.backend.sampler._at_work:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.01)


async def test_a_sample_at_work_is_stopped_and_others_go_on(api: Api) -> None:
    sampler = await new_sampler(api)
    running = await long_one(api, sampler, 0)
    await at_work(api, running)
    waiting = await long_one(api, sampler, 1)
    for request_id in (waiting, running, running):
        assert (await api.post("cancel_future", request_id=request_id)).status_code == 200
    for request_id in (running, waiting):
        response = await api.result(request_id)
        assert (response["category"], response["error"]) == ("user", "cancelled by its client")
    async with asyncio.timeout(20):
        body = api.sample_body(sampling_session_id=sampler, seq_id=2)
        assert (await api.done("asample", **body))["sequences"]
    target = {"sampling_session_id": sampler}
    told = (await api.post("retrieve_futures", target=target)).json()["completions"]
    assert [item["state"] for item in told] == ["failed", "failed", "finished"]


async def test_what_is_done_or_unknown_is_not_cancelled(api: Api) -> None:
    body = api.sample_body(sampling_session_id=await new_sampler(api), seq_id=0)
    done = await api.submit("asample", **body)
    response = await api.result(done)
    for request_id in (done, "nobody's"):
        assert (await api.post("cancel_future", request_id=request_id)).status_code == 200
    assert await api.result(done) == response


async def test_each_client_that_joins_has_a_number_for_itself(open_api: OpenApi) -> None:
    async with open_api("0.38") as api:
        sampler = await new_sampler(api)
        for number in (1, 2):
            joined = await api.post("join_sampling_session", sampling_session_id=sampler)
            assert joined.json() == {"type": "join_sampling_session", "client_counter": number}
        unknown = await api.post("join_sampling_session", sampling_session_id="x")
        assert unknown.status_code == 404
    async with open_api("0.38") as api:
        joined = await api.post("join_sampling_session", sampling_session_id=sampler)
        assert joined.json()["client_counter"] == 3, "also after a restart"


async def test_flags_are_announced_where_they_belong(open_api: OpenApi) -> None:
    flags = {"sample_use_retrieve_futures": True, "sample_cancel_max_batch_size": 8}
    async with open_api("0.38", flags=flags) as api:
        config = (await api.post("client/config", sdk_version="0.38.0")).json()
        dynamic = (await api.post("client/dynamic_config", sdk_version="0.38.0")).json()
    assert config["sample_use_retrieve_futures"] is True
    assert config["parallel_fwdbwd_chunks"] is True, "as clients assume it"
    assert "sample_cancel_max_batch_size" not in config
    assert dynamic["sample_cancel_max_batch_size"] == 8
    assert dynamic["sample_cancel_enabled"] is False


@pytest.mark.parametrize(
    ("dialect", "flags", "why"),
    [
        ("0.38", {"no_such_flag": True}, "no flag 'no_such_flag'"),
        ("0.4.1", {"sample_use_retrieve_futures": True}, "no flag 'sample_use_retrieve_futures'"),
        ("0.25", {"sample_use_retrieve_futures": True}, "no flag"),
        ("0.38", {"sample_use_retrieve_futures": "yes"}, "is a bool, not 'yes'"),
        ("any", {"sample_max_concurrent_requests": True}, "is a int, not True"),
    ],
)
async def test_flags_that_no_client_would_read_are_refused(
    tmp_path: Path, dialect: str, flags: dict[str, Any], why: str
) -> None:
    backend = Backend(tmp_path / "state", flags=flags)
    with pytest.raises(RuntimeError, match=why):
        build_app(backend, dialect)
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
def test_a_flag_is_written_as_name_and_value(text: str, flag: tuple[str, Any]) -> None:
    assert parse_flag(text) == flag


@pytest.mark.parametrize("text", ["a", "=1", ""])
def test_anything_else_is_no_flag(text: str) -> None:
    with pytest.raises(ValueError, match="NAME=VALUE"):
        parse_flag(text)
