"""Dynamic flags are requested at the start, and refreshed regularly."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.builders import announce
from tests.waiting import comes_true
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

ENABLED = Reply(200, {"sample_cancel_enabled": True, "refresh_interval_sec": 60})


def later_server() -> FakeServer:
    """A server that enables cancellations by a dynamic flag."""
    server = FakeServer()
    announce(server)
    server.respond_always("get_client_dynamic_config", ENABLED)
    return server


def config_requests(server: FakeServer) -> int:
    return len(server.calls("get_client_dynamic_config"))


def test_dynamic_flags_are_refreshed_when_due() -> None:
    server, time = later_server(), SimulatedTime()
    with make_client(server, clock=time.clock) as service:
        for _ in range(2):
            service.get_server_capabilities()
        assert config_requests(server) == 1
        server.respond_always(
            "get_client_dynamic_config", Reply(200, {"sample_cancel_enabled": False})
        )
        time.pass_by(61)
        for _ in range(2):
            service.get_server_capabilities()
        assert comes_true(lambda: not service.server_protocol.dynamic.sample_cancel_enabled)
    assert config_requests(server) == 2


FAULTS: dict[str, Any] = {
    "503": Reply(503, {"detail": "later"}),
    "403": Reply(403, {"detail": "not you"}),
    "HTML page": Reply(200, "<html>login</html>"),
    "array": Reply(200, [1]),
    "connection lost": httpx.ReadError("lost"),
    "404 with a message": Reply(404, {"detail": "no flags for this project yet"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_failed_refresh_is_repeated_when_due(fault: str) -> None:
    server, time = later_server(), SimulatedTime()
    server.respond("get_client_dynamic_config", FAULTS[fault])
    with make_client(server, clock=time.clock) as service:
        service.get_server_capabilities()
        assert service.server_protocol.release == "0.38.0"
        assert not service.server_protocol.dynamic.sample_cancel_enabled
        time.pass_by(301)
        service.get_server_capabilities()
        assert comes_true(lambda: service.server_protocol.dynamic.sample_cancel_enabled)
        server.respond("get_client_dynamic_config", FAULTS[fault])
        time.pass_by(61)
        service.get_server_capabilities()
        assert comes_true(lambda: config_requests(server) == 3)
        assert service.server_protocol.dynamic.sample_cancel_enabled, "the known flags are kept"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_server_without_dynamic_flags_is_sent_one_request(status: int) -> None:
    server, time = later_server(), SimulatedTime()
    server.respond_always("get_client_dynamic_config", Reply(status, ""))
    with make_client(server, clock=time.clock) as service:
        for _ in range(3):
            service.get_server_capabilities()
            time.pass_by(301)
    assert config_requests(server) == 1
