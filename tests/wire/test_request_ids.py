"""An error of an answer tells under which name its server knows it, whatever is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

import tinker_ext as tinker
from tests.wire.tokens import DemandingServer
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

NAMED = {"X-Request-Id": "request-of-the-answer"}
ANSWERS: dict[str, Reply] = {
    "an error status": Reply(403, {"detail": "not you"}, NAMED),
    "a page": Reply(200, "<html>login</html>", NAMED),
    "another shape": Reply(200, [1, 2, 3], NAMED),
    "a field of another type": Reply(200, {"session_id": "s", "training_run_ids": 5}, NAMED),
    "too large": Reply(200, {"session_id": "s" * 2000}, NAMED),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_it_is_told(answer: str) -> None:
    server = FakeServer()
    server.respond_always("get_session", ANSWERS[answer])
    time = SimulatedTime()
    with make_client(server, clock=time.clock, max_response_bytes=1000) as service:
        with pytest.raises(tinker.APIError) as caught:
            service.create_rest_client().get_session("s").result(30)
        assert caught.value.request_id == "request-of-the-answer"
        assert "request id request-of-the-answer" in str(caught.value)


def test_a_key_in_it_is_not() -> None:
    server = FakeServer()
    named = {"X-Request-Id": "for tml-0123456789abcdef"}
    server.respond_always("get_session", Reply(200, [1], named))
    with make_client(server) as service, pytest.raises(tinker.APIError) as caught:
        service.create_rest_client().get_session("s").result(30)
    assert caught.value.request_id == "for ***"


@pytest.mark.parametrize("body", ["<html>login</html>", {"jwt": 5}], ids=["a page", "no token"])
def test_it_is_that_of_the_exchange_where_that_is_to_blame(body: Any) -> None:
    server = DemandingServer()
    with make_client(server, clock=SimulatedTime().clock) as service:
        service.get_server_capabilities()
        server.revoke()
        server.respond_always("create_auth_token", Reply(200, body, NAMED))
        with pytest.raises(tinker.APIResponseValidationError) as caught:
            service.get_server_capabilities()
    assert caught.value.operation == "create_auth_token"
    assert caught.value.request_id == "request-of-the-answer"
