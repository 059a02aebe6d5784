"""Errors contain the request id of the response, whatever is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

import tinker_ext as tinker
from tests.wire.tokens import DemandingServer
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

REQUEST_ID = {"X-Request-Id": "id-of-the-response"}
REPLIES: dict[str, Reply] = {
    "error status": Reply(403, {"detail": "not you"}, REQUEST_ID),
    "HTML page": Reply(200, "<html>login</html>", REQUEST_ID),
    "array": Reply(200, [1, 2, 3], REQUEST_ID),
    "field of another type": Reply(200, {"session_id": "s", "training_run_ids": 5}, REQUEST_ID),
    "too large": Reply(200, {"session_id": "s" * 2000}, REQUEST_ID),
}


@pytest.mark.parametrize("reply", REPLIES)
def test_error_contains_the_request_id(reply: str) -> None:
    server = FakeServer()
    server.respond_always("get_session", REPLIES[reply])
    time = SimulatedTime()
    with make_client(server, clock=time.clock, max_response_bytes=1000) as service:
        with pytest.raises(tinker.APIError) as caught:
            service.create_rest_client().get_session("s").result(30)
        assert caught.value.request_id == "id-of-the-response"
        assert "request id id-of-the-response" in str(caught.value)


def test_key_in_a_request_id_is_redacted() -> None:
    server = FakeServer()
    headers = {"X-Request-Id": "for tml-0123456789abcdef"}
    server.respond_always("get_session", Reply(200, [1], headers))
    with make_client(server) as service, pytest.raises(tinker.APIError) as caught:
        service.create_rest_client().get_session("s").result(30)
    assert caught.value.request_id == "for ***"


@pytest.mark.parametrize("body", ["<html>login</html>", {"jwt": 5}], ids=["HTML page", "no token"])
def test_failed_exchange_has_its_own_request_id(body: Any) -> None:
    server = DemandingServer()
    with make_client(server, clock=SimulatedTime().clock) as service:
        service.get_server_capabilities()
        server.revoke()
        server.respond_always("create_auth_token", Reply(200, body, REQUEST_ID))
        with pytest.raises(tinker.APIResponseValidationError) as caught:
            service.get_server_capabilities()
    assert caught.value.operation == "create_auth_token"
    assert caught.value.request_id == "id-of-the-response"
