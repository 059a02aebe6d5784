"""A rejected key triggers negotiation if an earlier one failed: the server may require tokens."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import tinker_ext as tinker
from tests.builders import DATUM, PARAMS, PROMPT
from tests.wire.tokens import INVALID, KEY, DemandingServer
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

if TYPE_CHECKING:
    from tinker_ext.testing import Received, Replies

BUSY = Reply(503, {"detail": "later"})
TIMEOUT = httpx.ReadTimeout("no data")
LOGIN = Reply(200, "<html>login</html>")


def config_requests(server: Replies) -> int:
    return len(server.calls("get_client_config"))


def sent(server: Replies, operation: str) -> list[tuple[str, str | None, Any]]:
    """Key, idempotency key and body of each request."""

    def described(call: Received) -> tuple[str, str | None, Any]:
        return call.headers["x-api-key"], call.headers.get("x-idempotency-key"), call.body

    return [described(call) for call in server.calls(operation)]


@pytest.mark.parametrize(
    "fault",
    [BUSY, TIMEOUT, LOGIN, Reply(403, {"detail": "not now"}), Reply(200, [1]), Reply(400, "")],
    ids=["503", "timeout", "HTML page", "403", "array", "400"],
)
def test_failed_negotiation_is_repeated_within_the_call(fault: Any) -> None:
    server = DemandingServer()
    server.respond("get_client_config", fault)
    with make_client(server, clock=SimulatedTime().clock) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        assert sampler.sample(PROMPT, 1, PARAMS).result(30).sequences
        assert service.server_protocol.flags is not None
    refused, again = sent(server, "create_session")
    assert refused[0] == KEY
    assert again[0] == server.issued[0]
    assert refused[1] == again[1]
    assert config_requests(server) == 2
    assert server.exchanges == 1


def test_negotiation_is_retried_while_the_server_is_unavailable() -> None:
    server, time_ = DemandingServer(), SimulatedTime()
    for _ in range(4):
        server.respond("get_client_config", BUSY, TIMEOUT)
    with make_client(server, clock=time_.clock) as service:
        for _ in range(2):
            service.get_server_capabilities()
    assert config_requests(server) == 9
    assert server.exchanges == 1
    assert [key for key, *_ in sent(server, "get_server_capabilities")] == [
        KEY,
        *server.issued * 2,
    ], "nothing is sent before negotiation succeeds"
    assert time_.passed > 0


def test_abandoned_negotiation_is_repeated_after_a_rejected_key() -> None:
    server = DemandingServer()
    server.respond("get_client_config", *[BUSY] * 3)
    server.live.add(KEY)
    with make_client(server, clock=SimulatedTime().clock) as service:
        for _ in range(5):
            service.get_server_capabilities()
        assert config_requests(server) == 3
        server.revoke()
        for _ in range(3):
            service.get_server_capabilities()
    assert config_requests(server) == 4
    assert server.exchanges == 1


def test_unreachable_client_config_raises_its_error() -> None:
    server = DemandingServer()
    server.respond_always("get_client_config", BUSY)
    with make_client(server, clock=SimulatedTime().clock, retry_window=30) as service:
        for _ in range(2):
            with pytest.raises(tinker.InternalServerError, match="later") as caught:
                service.get_server_capabilities()
            assert caught.value.operation == "get_server_capabilities"
            assert caught.value.attempts is not None
            assert caught.value.attempts > 3
    assert len(server.calls("get_server_capabilities")) == 1
    assert server.exchanges == 0


@pytest.mark.parametrize(
    "reply",
    [Reply(403, {"detail": "not you"}), Reply(404, {"detail": "Not Found"}), Reply(422)],
    ids=["403", "404", "422"],
)
def test_server_without_client_config_is_asked_once_per_call(reply: Reply) -> None:
    server = DemandingServer()
    server.respond_always("get_client_config", reply)
    with make_client(server) as service:
        for requests in (2, 3, 4):
            with pytest.raises(tinker.AuthenticationError, match="no such token") as caught:
                service.get_server_capabilities()
            assert caught.value.operation == "get_server_capabilities"
            assert config_requests(server) == requests
    assert len(server.calls("get_server_capabilities")) == 6


def test_server_that_requires_no_tokens_is_not_asked_again() -> None:
    server = FakeServer()
    server.respond_always("get_client_config", Reply(200, {"pjwt_auth_enabled": False}))
    server.respond_always("get_server_capabilities", INVALID)
    with make_client(server) as service, pytest.raises(tinker.AuthenticationError):
        service.get_server_capabilities()
    assert config_requests(server) == 1
    assert len(server.calls("get_server_capabilities")) == 1


def test_401_without_invalid_token_does_not_renegotiate() -> None:
    server = FakeServer()
    server.respond_always("get_client_config", Reply(403, {"detail": "not you"}))
    server.respond_always("get_server_capabilities", Reply(401, {"detail": "not you"}))
    with make_client(server) as service, pytest.raises(tinker.AuthenticationError):
        service.get_server_capabilities()
    assert config_requests(server) == 1


def test_rejected_exchange_raises_at_once() -> None:
    server = DemandingServer()
    server.respond("get_client_config", BUSY)
    server.respond_always("create_auth_token", INVALID)
    with make_client(server) as service, pytest.raises(tinker.AuthenticationError):
        service.get_server_capabilities()
    assert config_requests(server) == 2
    assert server.exchanges == 1
    assert len(server.calls("get_server_capabilities")) == 1


@pytest.mark.parametrize("operation", ["forward_backward", "optim_step"])
def test_resent_request_keeps_its_seq_id(operation: str) -> None:
    server = DemandingServer()
    server.respond("get_client_config", *[BUSY] * 3)
    server.live.add(KEY)  # Like a server that starts to require tokens while it runs.
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        training.get_info()
        server.revoke()
        if operation == "forward_backward":
            training.forward_backward([DATUM], "cross_entropy").result(30)
        training.optim_step(tinker.AdamParams()).result(30)
    refused, again = sent(server, operation)[:2]
    assert refused[1:] == again[1:], "the same request"
    assert again[2]["seq_id"] == 1
    assert (refused[0], again[0]) == (KEY, server.issued[0])
    assert config_requests(server) == 4
    assert server.conflicts == []


def test_concurrent_rejections_cost_one_negotiation_and_one_exchange() -> None:
    server = DemandingServer()
    server.respond("get_client_config", *[BUSY] * 3)
    server.live.add(KEY)
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        service.get_server_capabilities()
        assert config_requests(server) == 3
        server.revoke()
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            futures = list(
                threads.map(lambda _: sampler.sample(PROMPT, 1, PARAMS), range(50), chunksize=1)
            )
        assert all(future.result(30).sequences for future in futures)
    assert config_requests(server) == 4
    assert server.exchanges == 1
    by_number: dict[int, set[str | None]] = {}
    for _, idempotency_key, body in sent(server, "asample"):
        by_number.setdefault(body["seq_id"], set()).add(idempotency_key)
    assert sorted(by_number) == list(range(50))
    assert all(len(keys) == 1 for keys in by_number.values())
    assert server.conflicts == []


def test_learned_protocol_is_kept_if_negotiation_fails_again() -> None:
    server = FakeServer()
    server.respond_always("get_client_config", Reply(403, {"detail": "not you"}))
    unknown = {"type": "extra_forbidden", "loc": ["body", "type"], "msg": "no"}
    server.respond("create_session", Reply(422, {"detail": [unknown]}))
    with make_client(server) as service:
        service.create_lora_training_client("fake/model")
        server.respond("get_server_capabilities", INVALID, INVALID)
        with pytest.raises(tinker.AuthenticationError):
            service.get_server_capabilities()
        assert service.server_protocol.rejected_fields == {"create_session.type"}
    assert config_requests(server) == 2
