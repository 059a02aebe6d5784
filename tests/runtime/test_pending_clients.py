"""Clients that are still being created: copies, equality, hashes and pickles."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import pytest

import tinker_ext as tinker
from tinker_ext import AdamParams
from tinker_ext.testing import FakeServer, make_client

CREATE: dict[str, Callable[[tinker.ServiceClient], Any]] = {
    "training": lambda service: service.create_lora_training_client("fake/model"),
    "sampling": lambda service: service.create_sampling_client(base_model="fake/model"),
}
COPY = {"copy": copy.copy, "deepcopy": copy.deepcopy}


def slow_server() -> FakeServer:
    """A server that creates sessions slowly."""
    server = FakeServer()
    server.respond(
        "create_session", lambda sent: attrs.evolve(server.default_reply(sent), delay=0.3)
    )
    return server


@attrs.define
class Holder:
    client: Any


@pytest.mark.parametrize("create", CREATE.values(), ids=CREATE)
@pytest.mark.parametrize("copied", COPY.values(), ids=COPY)
async def test_copy_of_a_pending_client_is_the_same_client(
    create: Callable[[tinker.ServiceClient], Any], copied: Callable[[Any], Any]
) -> None:
    with make_client(slow_server()) as service:
        pending = create(service)
        twin, held = copied(pending), copied(Holder(pending)).client
        assert repr(pending).endswith("pending>"), "the copy did not wait for the client"
        assert await twin is await pending
        assert await held is await pending
        assert copied(await pending) is await pending


@pytest.mark.filterwarnings("ignore:this call blocks a running event loop")
async def test_copy_of_a_pending_client_shares_the_seq_ids() -> None:
    server = slow_server()
    with make_client(server) as service:
        pending = service.create_lora_training_client("fake/model")
        twin = copy.copy(pending)
        await asyncio.gather(*[client.optim_step(AdamParams()) for client in (pending, twin) * 3])
    assert [call.body["seq_id"] for call in server.calls("optim_step")] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("create", CREATE.values(), ids=CREATE)
async def test_pending_client_equals_and_hashes_like_the_client(
    create: Callable[[tinker.ServiceClient], Any],
) -> None:
    with make_client(slow_server()) as service:
        pending, other = create(service), create(service)
        twin, before = copy.copy(pending), hash(pending)
        assert pending == twin
        assert pending != other
        assert pending != 1
        assert repr(pending).endswith("pending>"), "the copy did not wait for the client"
        client, another = await pending, await other
        assert pending == client
        assert client == pending
        assert pending != another
        assert another != pending
        assert hash(pending) == hash(client) == before
        assert {pending: "found"}[client] == "found"
        assert len({pending, twin, client, other, another}) == 2


@pytest.mark.parametrize("create", CREATE.values(), ids=CREATE)
@pytest.mark.filterwarnings("ignore:this call blocks a running event loop")
async def test_pickle_of_a_pending_client_is_the_pickle_of_the_client(
    create: Callable[[tinker.ServiceClient], Any],
) -> None:
    with make_client(slow_server()) as service:
        pending = create(service)
        first = pickle.dumps(pending)
        client = await pending
        assert first == pickle.dumps(client)
        restored = pickle.loads(first)
        assert type(restored) is type(client)
        assert restored != client
