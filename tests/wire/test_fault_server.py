"""The fault server behaves as documented, tested with a different HTTP client."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from tinker_ext.testing import FaultServer, Reply, faults

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def post(server: FaultServer, operation: str = "create_session") -> httpx.Response:
    with httpx.Client(trust_env=False) as client:
        return client.post(f"{server.url}/api/v1/{operation}", json={}, timeout=10)


def test_default_reply_and_recorded_request(server: FaultServer) -> None:
    assert post(server).json() == {"session_id": "session-1"}
    [received] = server.calls("create_session")
    assert (received.method, received.body) == ("POST", {})
    assert received.headers["content-type"] == "application/json"


def test_scripted_replies_come_first_and_in_order(server: FaultServer) -> None:
    server.respond("create_session", Reply(503, {"a": 1}, {"Retry-After": "3"}))
    server.respond("create_session", lambda received: Reply(200, received.path))
    first = post(server)
    assert (first.status_code, first.headers["retry-after"]) == (503, "3")
    assert post(server).text == "create_session"
    assert post(server).status_code == 200


@pytest.mark.parametrize(
    "fault", [faults.dropped(), faults.half_sent(), faults.lost_request(), faults.not_http()]
)
def test_broken_reply_is_a_protocol_error(server: FaultServer, fault: faults.Fault) -> None:
    server.respond("create_session", fault)
    with pytest.raises(httpx.RemoteProtocolError):
        post(server)
    assert post(server).status_code == 200


def test_reset_is_a_connection_error(server: FaultServer) -> None:
    server.respond("create_session", faults.reset())
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        post(server)


def test_refused_connections_until_listen(server: FaultServer) -> None:
    server.respond("create_session", faults.refused())
    with pytest.raises(httpx.RemoteProtocolError):
        post(server)
    with pytest.raises(httpx.ConnectError):
        post(server)
    server.listen()
    assert post(server).status_code == 200


def test_complete_but_invalid_bodies(server: FaultServer) -> None:
    wrong = [
        faults.truncated_json(),
        faults.invalid_json(),
        faults.not_a_number(),
        faults.proxy_page(200),
    ]
    server.respond("create_session", *wrong)
    for _ in wrong[:2]:
        with pytest.raises(json.JSONDecodeError):
            json.loads(post(server).text)
    assert "NaN" in post(server).text
    assert post(server).headers["content-type"] == "text/html"


def test_unusual_but_valid_bodies(server: FaultServer) -> None:
    server.respond("create_session", faults.unknown_fields(), faults.wrong_content_type())
    server.respond("create_session", faults.trickled(), faults.huge(1_000_000))
    assert post(server).json() == {"session_id": "session-1", "from_the_future": {"a": [1, None]}}
    assert post(server).headers["content-type"] == "text/plain"
    assert post(server).json() == {"session_id": "session-1"}
    assert 900_000 < len(post(server).content) <= 1_000_100
    server.respond("create_session", faults.bomb(5_000_000), faults.redirect("/elsewhere"))
    assert len(post(server).content) == 5_000_000
    assert post(server).headers["location"] == "/elsewhere"


def test_seq_id_counts_once_and_reuse_is_a_conflict(server: FaultServer) -> None:
    def optim_step(rate: float) -> str:
        body = {"model_id": "m", "seq_id": 1, "adam_params": {"learning_rate": rate}}
        url = f"{server.url}/api/v1/optim_step"
        response: str = httpx.post(url, json=body, trust_env=False).json()["request_id"]
        return response

    assert optim_step(0.1) == optim_step(0.1)
    assert (len(server.counted), server.conflicts) == (1, [])
    optim_step(0.2)
    assert len(server.conflicts) == 1


def test_close_drops_a_response_that_the_client_does_not_read() -> None:
    size = 30_000_000
    server = FaultServer()
    server.respond_always("get_server_capabilities", Reply(200, "x" * size))
    address = ("127.0.0.1", httpx.URL(server.url).port or 0)
    with socket.create_connection(address) as client:
        client.sendall(b"GET /api/v1/get_server_capabilities HTTP/1.1\r\nHost: fault\r\n\r\n")
        first = client.recv(1)
        server.close()
        received = len(first)
        while part := client.recv(1 << 20):
            received += len(part)
    assert 0 < received < size
