"""Tokens on the wire: asked for with the key, sent in its place, replaced when refused."""

from __future__ import annotations

import concurrent.futures
import gc
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tests.waiting import comes_true, tasks
from tests.wire.tokens import INVALID, KEY, TOKENLESS, DemandingServer, token
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tinker_ext.testing import Received

PARAMS = tinker.SamplingParams(max_tokens=4)
PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
BUSY = Reply(503, {"detail": "later"})


def sent_with(server: FakeServer) -> dict[str, set[str | None]]:
    """What each operation proved itself with."""
    result: dict[str, set[str | None]] = {}
    for item in server.received:
        result.setdefault(item.operation, set()).add(item.headers.get("x-api-key"))
    return result


def datum() -> tinker.Datum:
    return tinker.Datum(
        model_input=PROMPT,
        loss_fn_inputs={"target_tokens": [2, 3, 4], "weights": [1.0, 1.0, 1.0]},
    )


def key_of(one: Received) -> str:
    return one.headers["x-idempotency-key"]


def test_everything_but_the_start_is_sent_with_one_token() -> None:
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
    assert all(keys == {server.given[0]} for keys in result.values()), result
    exchange = server.calls("create_auth_token")[0]
    assert exchange.body == {}


def test_without_the_flag_there_are_no_tokens() -> None:
    server = FakeServer()
    server.respond_always("get_client_config", Reply(200, {"pjwt_auth_enabled": False}))
    with make_client(server) as service:
        service.get_server_capabilities()
    assert not server.calls("create_auth_token")
    assert sent_with(server)["get_server_capabilities"] == {KEY}


def test_a_token_is_renewed_while_it_is_still_accepted() -> None:
    server = DemandingServer()
    server.lifetime = 2.0
    with make_client(server) as service:
        until = time.monotonic() + 30
        while server.exchanges < 3 and time.monotonic() < until:
            service.get_server_capabilities()
            time.sleep(0.02)
    assert server.exchanges >= 3
    assert len(sent_with(server)["get_server_capabilities"]) >= 2


def test_a_client_without_work_keeps_its_token_fresh_and_ends_with_it() -> None:
    server = DemandingServer()
    server.lifetime = 2.0
    with make_client(server) as service:
        service.get_server_capabilities()
        assert comes_true(lambda: server.exchanges >= 2)
    ended_with = server.exchanges
    time.sleep(1.3)
    assert server.exchanges == ended_with


def test_a_client_that_nobody_closed_renews_nothing_any_more() -> None:
    server = DemandingServer()
    gc.collect()
    before = tasks()
    service = make_client(server)
    service.get_server_capabilities()
    assert tasks() - before
    del service
    gc.collect()
    assert comes_true(lambda: not tasks() - before)


def test_the_server_of_your_own_tests_gives_tokens_where_it_is_told_to() -> None:
    server = FakeServer()
    server.respond_always("get_client_config", Reply(200, {"pjwt_auth_enabled": True}))
    with make_client(server) as service:
        service.get_server_capabilities()
    assert sent_with(server)["get_server_capabilities"] == {"a-made-up-token"}


def test_a_server_may_give_the_same_token_again() -> None:
    simulated = SimulatedTime()
    server = DemandingServer()
    server.make = lambda serial: "always-the-same-token"
    with make_client(server, clock=simulated.clock) as service:
        service.get_server_capabilities()
        simulated.pass_by(61)
        service.get_server_capabilities()
    assert server.exchanges == 2
    assert sent_with(server)["get_server_capabilities"] == {"always-the-same-token"}


def test_many_rejections_cost_one_exchange_and_one_replay_each() -> None:
    server = DemandingServer()
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        sampler.sample(PROMPT, 1, PARAMS).result(30)
        server.received.clear()
        server.revoke()
        sampled = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(50)]
        assert all(future.result(30).sequences for future in sampled)
    assert server.exchanges == 1
    first, second = server.given
    refused = [call for call in server.calls("asample") if call.headers["x-api-key"] == first]
    taken = [call for call in server.calls("asample") if call.headers["x-api-key"] == second]
    assert len(taken) == 50
    assert 0 < len(refused) <= 50
    again = {key_of(item): item.body for item in taken}
    assert len(again) == 50
    for one in refused:
        assert again[key_of(one)] == one.body, "the same request under the same number"
    assert server.conflicts == []


def test_a_request_is_sent_again_once_and_no_more() -> None:
    server = DemandingServer()
    with make_client(server) as service:
        service.get_server_capabilities()
        server.received.clear()
        server.respond_always("get_server_capabilities", INVALID)
        with pytest.raises(tinker.AuthenticationError) as caught:
            service.get_server_capabilities()
    assert [call.headers["x-api-key"] for call in server.calls("get_server_capabilities")] == (
        server.given
    )
    assert server.exchanges == 1
    assert caught.value.operation == "get_server_capabilities"


def test_another_401_is_no_matter_of_tokens() -> None:
    server = DemandingServer()
    with make_client(server) as service:
        service.get_server_capabilities()
        server.respond("get_server_capabilities", Reply(401, {"detail": "not you"}))
        with pytest.raises(tinker.AuthenticationError):
            service.get_server_capabilities()
    assert len(server.calls("get_server_capabilities")) == 2
    assert server.exchanges == 1


@pytest.mark.parametrize("operation", ["forward_backward", "optim_step", "save_weights"])
def test_a_numbered_request_keeps_its_number(operation: str) -> None:
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


def test_a_body_that_is_no_json_is_sent_whole_again() -> None:
    server = DemandingServer()
    told = [
        Reply(415, {"detail": "expected application/x-protobuf"}),
        INVALID,
        Reply(400, {"detail": "enough"}),
    ]
    server.respond("forward_backward", *told)
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        with pytest.raises(tinker.BadRequestError):
            training.forward_backward([datum()], "cross_entropy").result(30)
    refused, again = server.calls("forward_backward")[-2:]
    assert isinstance(refused.body, bytes)
    assert len(refused.body) > 10
    assert refused.body == again.body
    assert [refused.headers["x-api-key"], again.headers["x-api-key"]] == server.given


def test_polls_and_heartbeats_survive_a_revocation() -> None:
    server = DemandingServer()

    def revoked_meanwhile(_: Received) -> Reply:
        server.revoke()
        return INVALID

    with make_client(server, heartbeat_interval=0.05) as service:
        training = service.create_lora_training_client("fake/model")
        server.respond("retrieve_future", revoked_meanwhile)
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
    assert beats[0].headers["x-api-key"] == server.given[1]
    assert beats[1].headers["x-api-key"] == server.given[2]
    assert beats[0].body == beats[1].body


def test_a_live_token_is_used_on_while_no_other_is_to_be_had(
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
        assert sent_with(server)["get_server_capabilities"] == {server.given[0]}
        assert "the current one stays in use" in caplog.text
        simulated.pass_by(30)
        server.respond("create_auth_token", BUSY, BUSY)
        service.get_server_capabilities()
    assert server.exchanges == 5, "each failure is one attempt of the call, which goes on"
    assert server.calls("get_server_capabilities")[-1].headers["x-api-key"] == server.given[1]


def test_a_refused_key_is_told_as_it_is_and_not_again() -> None:
    server = DemandingServer()
    server.respond_always("create_auth_token", Reply(401, {"detail": "no such key"}))
    with make_client(server) as service:
        with pytest.raises(tinker.AuthenticationError, match="no such key"):
            service.get_server_capabilities()
        assert server.exchanges == 1
        assert not server.calls("get_server_capabilities")
        server.respond_by_default()
        service.get_server_capabilities()


def test_a_key_refused_later_is_told_in_place_of_the_answer() -> None:
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
def test_an_exchange_that_is_not_there_is_no_answer_to_something_else(
    status: int, operation: str
) -> None:
    server = DemandingServer()
    with make_client(server) as service:
        training = service.create_lora_training_client("fake/model")
        known = service.dialect
        server.respond("create_auth_token", Reply(status, {"detail": "Not Found"}))
        server.respond(operation, INVALID)
        with pytest.raises(tinker.APIResponseValidationError, match="wants tokens, and gives none"):
            training.forward([datum()], "cross_entropy").result(30)
        assert service.dialect == known
        assert server.exchanges == 2


@pytest.mark.parametrize("status", [400, 404, 501])
def test_an_exchange_that_is_to_be_repeated_is(status: int) -> None:
    server = DemandingServer()
    again = Reply(status, {"detail": "Not Found"}, {"x-should-retry": "true"})
    server.respond("create_auth_token", again, again)
    with make_client(server, clock=SimulatedTime().clock) as service:
        training = service.create_lora_training_client("fake/model")
        assert server.exchanges == 3
        known = service.dialect
        server.revoke()
        server.respond_always("create_auth_token", again)
        with pytest.raises(tinker.APIStatusError) as caught:
            training.forward([datum()], "cross_entropy").result(30)
        assert caught.value.operation == "create_auth_token"
        assert service.dialect == known, "it is no answer to something else"


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
def test_an_answer_without_a_token_is_an_error_that_shows_nothing_of_it(body: Any) -> None:
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


def test_a_key_that_is_over_is_refused_before_anything_is_sent() -> None:
    server = FakeServer()
    with (
        make_client(server, api_key=token(1, 60, time.time() - 100)) as service,
        pytest.raises(tinker.ConfigurationError, match="expired token"),
    ):
        service.get_server_capabilities()
    assert server.received == []


def command(monkeypatch: pytest.MonkeyPatch, prints: str) -> dict[str, Any]:
    """Settings without a key, for `make_client`, which has one unless told otherwise."""
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", f"echo {prints}")
    return {"api_key": None}


def test_what_a_command_prints_is_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    server = DemandingServer()
    with make_client(server, **command(monkeypatch, "tml-printed")) as service:
        service.get_server_capabilities()
    result = sent_with(server)
    assert result["create_auth_token"] == result["get_client_config"] == {"tml-printed"}
    assert result["get_server_capabilities"] == {server.given[0]}


def test_what_a_command_prints_is_sent_where_no_tokens_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = FakeServer()
    with make_client(server, **command(monkeypatch, "any-kind-of-key")) as service:
        service.get_server_capabilities()
    assert {key for keys in sent_with(server).values() for key in keys} == {"any-kind-of-key"}


def test_printed_key_that_is_no_longer_accepted_is_printed_anew(
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


def test_a_server_may_insist_on_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    server = DemandingServer(credential_default_source="credential_cmd")
    with make_client(server) as service:
        with pytest.raises(tinker.ConfigurationError, match="TINKER_CREDENTIAL_CMD"):
            service.get_server_capabilities()
        assert server.exchanges == 0
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "echo tml-printed")
    with make_client(server) as service:
        service.get_server_capabilities()
    assert sent_with(server)["create_auth_token"] == {"tml-printed"}


def test_a_command_that_fails_is_told_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    with make_client(server, **command(monkeypatch, "PLANTED; exit 1")) as service:
        with pytest.raises(tinker.ConfigurationError, match="failed with status 1") as caught:
            service.get_server_capabilities()
        assert "PLANTED" not in str(caught.value)
    assert server.received == []


def test_many_clients_threads_start_with_one_exchange() -> None:
    server = DemandingServer()
    with make_client(server) as service, concurrent.futures.ThreadPoolExecutor(16) as threads:
        asked = [threads.submit(service.get_server_capabilities) for _ in range(50)]
        assert all(item.result(30) for item in asked)
    assert server.exchanges == 1
