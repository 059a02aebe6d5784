"""Tokens: exchanged for the key, sent instead of it, and replaced when rejected."""

from __future__ import annotations

import concurrent.futures
import gc
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT, datum
from tests.waiting import comes_true, tasks
from tests.wire.tokens import INVALID, KEY, TOKENLESS, DemandingServer, token
from tinker_ext.rules import token_validity
from tinker_ext.runtime import credentials
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tinker_ext.testing import Received

BUSY = Reply(503, {"detail": "later"})


def sent_with(server: FakeServer) -> dict[str, set[str | None]]:
    """The credentials that each operation was sent with."""
    result: dict[str, set[str | None]] = {}
    for item in server.received:
        result.setdefault(item.operation, set()).add(item.headers.get("x-api-key"))
    return result


def key_of(call: Received) -> str:
    return call.headers["x-idempotency-key"]


def test_all_requests_after_the_exchange_send_the_token() -> None:
    server = DemandingServer()
    with make_client(server, heartbeat_interval=0.02) as service:
        training = service.create_lora_training_client("fake/model")
        training.forward_backward([datum()], "cross_entropy").result(30)
        sampler = service.create_sampling_client(base_model="fake/model")
        sampler.sample(PROMPT, 1, PARAMS).result(30)
        service.create_rest_client().list_training_runs().result(30)
        time.sleep(0.1)
    assert [item.operation for item in server.received[:2]] == list(TOKENLESS)
    assert server.exchanges == 1
    result = sent_with(server)
    for operation in TOKENLESS:
        assert result.pop(operation) == {KEY}
    assert {"session_heartbeat", "retrieve_future", "forward_backward"} <= result.keys()
    assert all(keys == {server.issued[0]} for keys in result.values()), result
    exchange = server.calls("create_auth_token")[0]
    assert exchange.body == {}


def test_no_exchange_without_the_flag() -> None:
    server = FakeServer()
    server.respond_always("get_client_config", Reply(200, {"pjwt_auth_enabled": False}))
    with make_client(server) as service:
        service.get_server_capabilities()
    assert not server.calls("create_auth_token")
    assert sent_with(server)["get_server_capabilities"] == {KEY}


def test_token_is_refreshed_before_it_expires() -> None:
    server = DemandingServer()
    server.lifetime = 2.0
    with make_client(server) as service:
        until = time.monotonic() + 30
        while server.exchanges < 3 and time.monotonic() < until:
            service.get_server_capabilities()
            time.sleep(0.02)
    assert server.exchanges >= 3
    assert len(sent_with(server)["get_server_capabilities"]) >= 2


def test_idle_client_refreshes_its_token_until_closed() -> None:
    server = DemandingServer()
    server.lifetime = 2.0
    with make_client(server) as service:
        service.get_server_capabilities()
        assert comes_true(lambda: server.exchanges >= 2)
    ended_with = server.exchanges
    time.sleep(1.3)
    assert server.exchanges == ended_with


def test_dropped_client_stops_refreshing() -> None:
    server = DemandingServer()
    gc.collect()
    before = tasks()
    service = make_client(server)
    service.get_server_capabilities()
    assert tasks() - before
    del service
    gc.collect()
    assert comes_true(lambda: not tasks() - before)


def test_fake_server_issues_tokens_if_configured() -> None:
    server = FakeServer()
    server.respond_always("get_client_config", Reply(200, {"pjwt_auth_enabled": True}))
    with make_client(server) as service:
        service.get_server_capabilities()
    assert sent_with(server)["get_server_capabilities"] == {"a-made-up-token"}


def test_server_may_issue_the_same_token_again() -> None:
    simulated = SimulatedTime()
    server = DemandingServer()
    server.make = lambda serial: "always-the-same-token"
    with make_client(server, clock=simulated.clock) as service:
        service.get_server_capabilities()
        simulated.pass_by(61)
        service.get_server_capabilities()
    assert server.exchanges == 2
    assert sent_with(server)["get_server_capabilities"] == {"always-the-same-token"}


def test_concurrent_rejections_cost_one_exchange_and_one_resend_each() -> None:
    server = DemandingServer()
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        sampler.sample(PROMPT, 1, PARAMS).result(30)
        server.received.clear()
        server.revoke()
        sampled = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(50)]
        assert all(future.result(30).sequences for future in sampled)
    assert server.exchanges == 1
    first, second = server.issued
    refused = [call for call in server.calls("asample") if call.headers["x-api-key"] == first]
    resent = [call for call in server.calls("asample") if call.headers["x-api-key"] == second]
    assert len(resent) == 50
    assert 0 < len(refused) <= 50
    again = {key_of(item): item.body for item in resent}
    assert len(again) == 50
    for call in refused:
        assert again[key_of(call)] == call.body, "the same request with the same seq_id"
    assert server.conflicts == []


def test_rejected_request_is_resent_only_once() -> None:
    server = DemandingServer()
    with make_client(server) as service:
        service.get_server_capabilities()
        server.received.clear()
        server.respond_always("get_server_capabilities", INVALID)
        with pytest.raises(tinker.AuthenticationError) as caught:
            service.get_server_capabilities()
    assert [call.headers["x-api-key"] for call in server.calls("get_server_capabilities")] == (
        server.issued
    )
    assert server.exchanges == 1
    assert caught.value.operation == "get_server_capabilities"


def test_401_without_invalid_token_is_not_resent() -> None:
    server = DemandingServer()
    with make_client(server) as service:
        service.get_server_capabilities()
        server.respond("get_server_capabilities", Reply(401, {"detail": "not you"}))
        with pytest.raises(tinker.AuthenticationError):
            service.get_server_capabilities()
    assert len(server.calls("get_server_capabilities")) == 2
    assert server.exchanges == 1


@pytest.mark.parametrize("operation", ["forward_backward", "optim_step", "save_weights"])
def test_resent_request_keeps_its_seq_id(operation: str) -> None:
    server = DemandingServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        training.get_info()
        server.revoke()
        calls: dict[str, Callable[[], tinker.APIFuture[Any]]] = {
            "forward_backward": lambda: training.forward_backward([datum()], "cross_entropy"),
            "optim_step": lambda: training.optim_step(tinker.AdamParams()),
            "save_weights": lambda: training.save_state("a"),
        }
        calls[operation]().result(30)
        training.optim_step(tinker.AdamParams()).result(30)
    sent = [call for call in server.calls(operation) if call.body["seq_id"] == 1]
    assert len(sent) == 2
    assert sent[0].body == sent[1].body
    assert key_of(sent[0]) == key_of(sent[1])
    assert server.conflicts == []
    assert server.calls("optim_step")[-1].body["seq_id"] == 2


def test_protobuf_body_is_resent_completely() -> None:
    server = DemandingServer()
    replies = [
        Reply(415, {"detail": "expected application/x-protobuf"}),
        INVALID,
        Reply(400, {"detail": "enough"}),
    ]
    server.respond("forward_backward", *replies)
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        with pytest.raises(tinker.BadRequestError):
            training.forward_backward([datum()], "cross_entropy").result(30)
    refused, again = server.calls("forward_backward")[-2:]
    assert isinstance(refused.body, bytes)
    assert len(refused.body) > 10
    assert refused.body == again.body
    assert [refused.headers["x-api-key"], again.headers["x-api-key"]] == server.issued


def test_polls_and_heartbeats_survive_a_revoked_token() -> None:
    server = DemandingServer()

    def revoke_token(_: Received) -> Reply:
        server.revoke()
        return INVALID

    with make_client(server, heartbeat_interval=0.05) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond("retrieve_future", revoke_token)
        training.optim_step(tinker.AdamParams()).result(30)
        assert server.exchanges == 2
        polls = server.calls("retrieve_future")[-2:]
        assert polls[0].body == polls[1].body
        server.received.clear()
        server.revoke()
        assert comes_true(lambda: server.exchanges >= 1)
        time.sleep(0.2)
        beats = server.calls("session_heartbeat")
    assert server.exchanges == 1
    assert beats[0].headers["x-api-key"] == server.issued[1]
    assert beats[1].headers["x-api-key"] == server.issued[2]
    assert beats[0].body == beats[1].body


def test_valid_token_is_kept_while_the_exchange_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    simulated = SimulatedTime()
    server = DemandingServer()
    server.wall = simulated.clock.wall
    with make_client(server, clock=simulated.clock) as service:
        service.get_server_capabilities()
        simulated.pass_by(3570)
        server.respond("create_auth_token", BUSY)
        with caplog.at_level(logging.WARNING, "tinker_ext"):
            for _ in range(3):
                service.get_server_capabilities()
        assert server.exchanges == 2
        assert sent_with(server)["get_server_capabilities"] == {server.issued[0]}
        assert "the current one stays in use" in caplog.text
        simulated.pass_by(30)
        server.respond("create_auth_token", BUSY, BUSY)
        service.get_server_capabilities()
    assert server.exchanges == 5, "each failure is one attempt of the call, which is retried"
    assert server.calls("get_server_capabilities")[-1].headers["x-api-key"] == server.issued[1]


def test_rejected_key_raises_without_retry() -> None:
    server = DemandingServer()
    server.respond_always("create_auth_token", Reply(401, {"detail": "no such key"}))
    with make_client(server) as service:
        with pytest.raises(tinker.AuthenticationError, match="no such key"):
            service.get_server_capabilities()
        assert server.exchanges == 1
        assert not server.calls("get_server_capabilities")
        server.respond_by_default()
        service.get_server_capabilities()


def test_key_rejected_during_refresh_raises() -> None:
    server = DemandingServer()
    with make_client(server) as service:
        service.get_server_capabilities()
        server.revoke()
        server.respond_always("create_auth_token", Reply(401, {"detail": "no such key"}))
        with pytest.raises(tinker.AuthenticationError, match="no such key"):
            service.get_server_capabilities()
    assert len(server.calls("get_server_capabilities")) == 2


@pytest.mark.parametrize("status", [400, 404, 405, 410, 415, 422, 501])
@pytest.mark.parametrize("operation", ["forward", "retrieve_future"])
def test_missing_exchange_does_not_change_the_protocol(status: int, operation: str) -> None:
    server = DemandingServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        known = service.server_protocol
        server.respond("create_auth_token", Reply(status, {"detail": "Not Found"}))
        server.respond(operation, INVALID)
        with pytest.raises(
            tinker.APIResponseValidationError, match="requires tokens but issued none"
        ):
            training.forward([datum()], "cross_entropy").result(30)
        accepted = service.server_protocol.accepted
        assert service.server_protocol == evolve(known, accepted=accepted)
        assert server.exchanges == 2


@pytest.mark.parametrize("status", [400, 404, 501])
def test_temporary_fault_of_the_exchange_is_retried(status: int) -> None:
    server = DemandingServer()
    again = Reply(status, {"detail": "Not Found"}, {"x-should-retry": "true"})
    server.respond("create_auth_token", again, again)
    with make_client(server, clock=SimulatedTime().clock) as service:
        training = service.create_lora_training_client("fake/model")
        assert server.exchanges == 3
        known = service.server_protocol
        server.revoke()
        server.respond_always("create_auth_token", again)
        with pytest.raises(tinker.APIStatusError) as caught:
            training.forward([datum()], "cross_entropy").result(30)
        assert caught.value.operation == "create_auth_token"
        assert service.server_protocol == known, (
            "the error of the exchange is not taken for the call's"
        )


@pytest.mark.parametrize(
    "body",
    [
        {"jwt": 5},
        {"jwt": ""},
        {"jwt": None},
        {"token": "eyPLANTED"},
        {"jwt": "PLANTED\nPLANTED"},
        {"jwt": "PLANTED PLANTED"},
        ["PLANTED"],
        '{"jwt": "PLANTED',
        "PLANTED",
        None,
    ],
)
def test_response_without_a_token_raises_without_showing_it(body: Any) -> None:
    server = DemandingServer()
    server.respond_always("create_auth_token", Reply(200, body))
    simulated = SimulatedTime()
    with (
        make_client(server, clock=simulated.clock) as service,
        pytest.raises(tinker.APIResponseValidationError) as caught,
    ):
        service.get_server_capabilities()
    assert "token" in str(caught.value)
    assert "PLANTED" not in repr(vars(caught.value)) + str(caught.value)


def test_expired_key_raises_before_anything_is_sent() -> None:
    server = FakeServer()
    with (
        make_client(server, api_key=token(1, 60, time.time() - 100)) as service,
        pytest.raises(tinker.ConfigurationError, match="expired token"),
    ):
        service.get_server_capabilities()
    assert server.received == []


def test_key_is_parsed_once_and_checked_for_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []

    def has_expired(key: str, now: float) -> bool:
        parsed.append(key)
        return token_validity.has_expired(key, now)

    monkeypatch.setattr(credentials, "has_expired", has_expired)
    simulated = SimulatedTime()
    key = token(1, 3600, simulated.clock.wall())
    with make_client(FakeServer(), api_key=key, clock=simulated.clock) as service:
        for _ in range(3):
            service.get_server_capabilities()
        assert parsed == [key]
        simulated.pass_by(3601)
        with pytest.raises(tinker.ConfigurationError):
            service.get_server_capabilities()
    assert set(parsed) == {key}


def command(monkeypatch: pytest.MonkeyPatch, prints: str) -> dict[str, Any]:
    """Settings for `make_client` with a credential command instead of a key."""
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"echo {prints}")
    return {"api_key": None}


def test_key_of_credential_command_is_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    server = DemandingServer()
    with make_client(server, **command(monkeypatch, "tml-printed")) as service:
        service.get_server_capabilities()
    result = sent_with(server)
    assert result["create_auth_token"] == result["get_client_config"] == {"tml-printed"}
    assert result["get_server_capabilities"] == {server.issued[0]}


def test_key_of_credential_command_is_sent_without_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = FakeServer()
    with make_client(server, **command(monkeypatch, "any-kind-of-key")) as service:
        service.get_server_capabilities()
    assert {key for keys in sent_with(server).values() for key in keys} == {"any-kind-of-key"}


def test_rejected_key_of_credential_command_is_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    printed = tmp_path / "key"
    printed.write_text("first-printed-key")
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"cat {printed}")
    server, simulated = FakeServer(), SimulatedTime()
    with make_client(server, api_key=None, clock=simulated.clock) as service:
        service.get_server_capabilities()
        printed.write_text("second-printed-key")
        server.respond("get_server_capabilities", Reply(401, {"detail": "expired"}))
        with pytest.raises(tinker.AuthenticationError):
            service.get_server_capabilities()
        simulated.pass_by(61)
        server.respond("get_server_capabilities", Reply(401, {"detail": "expired"}))
        service.get_server_capabilities()
    requests = server.calls("get_server_capabilities")
    assert [request.headers["x-api-key"] for request in requests] == ["first-printed-key"] * 3 + [
        "second-printed-key"
    ]


def test_server_may_require_the_credential_command(monkeypatch: pytest.MonkeyPatch) -> None:
    server = DemandingServer(credential_default_source="credential_cmd")
    with make_client(server) as service:
        with pytest.raises(tinker.ConfigurationError, match="TINKER_CREDENTIAL_CMD"):
            service.get_server_capabilities()
        assert server.exchanges == 0
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "echo tml-printed")
    with make_client(server) as service:
        service.get_server_capabilities()
    assert sent_with(server)["create_auth_token"] == {"tml-printed"}


def test_failed_credential_command_raises_without_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    with make_client(server, **command(monkeypatch, "PLANTED; exit 1")) as service:
        with pytest.raises(tinker.ConfigurationError, match="failed with status 1") as caught:
            service.get_server_capabilities()
        assert "PLANTED" not in str(caught.value)
    assert server.received == []


def test_concurrent_threads_start_with_one_exchange() -> None:
    server = DemandingServer()
    with make_client(server) as service, concurrent.futures.ThreadPoolExecutor(16) as threads:
        futures = [threads.submit(service.get_server_capabilities) for _ in range(50)]
        assert all(future.result(30) for future in futures)
    assert server.exchanges == 1
