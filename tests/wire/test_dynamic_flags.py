"""What of a server's flags may change is asked for at the start, and again and again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.waiting import comes_true
from tests.wire.flagged import announce
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

WANTED = Reply(200, {"sample_cancel_enabled": True, "refresh_interval_sec": 60})


def later_server() -> FakeServer:
    """One that wants to hear of samples that are given up."""
    server = FakeServer()
    announce(server)
    server.respond_always("get_client_dynamic_config", WANTED)
    return server


def questions(server: FakeServer) -> int:
    return len(server.calls("get_client_dynamic_config"))


def test_they_are_asked_for_again_when_it_is_time() -> None:
    server, time = later_server(), SimulatedTime()
    with make_client(server, clock=time.clock) as service:
        for _ in range(2):
            service.get_server_capabilities()
        assert questions(server) == 1
        server.respond_always(
            "get_client_dynamic_config", Reply(200, {"sample_cancel_enabled": False})
        )
        time.pass_by(61)
        for _ in range(2):
            service.get_server_capabilities()
        assert comes_true(lambda: not service.dialect.dynamic.sample_cancel_enabled)
    assert questions(server) == 2


FAULTS: dict[str, Any] = {
    "503": Reply(503, {"detail": "later"}),
    "403": Reply(403, {"detail": "not you"}),
    "a portal": Reply(200, "<html>login</html>"),
    "another shape": Reply(200, [1]),
    "a connection lost": httpx.ReadError("lost"),
    "404 with words": Reply(404, {"detail": "no flags for this project yet"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_where_they_can_not_be_had_they_are_asked_for_when_that_is_due(fault: str) -> None:
    server, time = later_server(), SimulatedTime()
    server.respond("get_client_dynamic_config", FAULTS[fault])
    with make_client(server, clock=time.clock) as service:
        service.get_server_capabilities()
        assert service.dialect.release == "0.38.0"
        assert not service.dialect.dynamic.sample_cancel_enabled
        time.pass_by(301)
        service.get_server_capabilities()
        assert comes_true(lambda: service.dialect.dynamic.sample_cancel_enabled)
        server.respond("get_client_dynamic_config", FAULTS[fault])
        time.pass_by(61)
        service.get_server_capabilities()
        assert comes_true(lambda: questions(server) == 3)
        assert service.dialect.dynamic.sample_cancel_enabled, "what is known is kept"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_that_has_none_is_asked_once(status: int) -> None:
    server, time = later_server(), SimulatedTime()
    server.respond_always("get_client_dynamic_config", Reply(status, ""))
    with make_client(server, clock=time.clock) as service:
        for _ in range(3):
            service.get_server_capabilities()
            time.pass_by(301)
    assert questions(server) == 1
