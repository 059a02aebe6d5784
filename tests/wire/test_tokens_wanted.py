"""A server that wants tokens and could not be asked: the key that it refuses is a reason to."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import tinker_ext as tinker
from tests.wire.tokens import INVALID, KEY, DemandingServer
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

if TYPE_CHECKING:
    from tinker_ext.testing import Received, Replies

BUSY = Reply(503, {"detail": "later"})
SILENCE = httpx.ReadTimeout("nothing came")
LOGIN = Reply(200, "<html>login</html>")
PARAMS = tinker.SamplingParams(max_tokens=4)
PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
DATUM = tinker.Datum(
    model_input=PROMPT, loss_fn_inputs={"target_tokens": [2, 3, 4], "weights": [1.0, 1.0, 1.0]}
)


def questions(server: Replies) -> int:
    return len(server.calls("get_client_config"))


def sent(server: Replies, operation: str) -> list[tuple[str, str | None, Any]]:
    """Key, idempotency key and body of each request."""

    def told(one: Received) -> tuple[str, str | None, Any]:
        return one.headers["x-api-key"], one.headers.get("x-idempotency-key"), one.body

    return [told(call) for call in server.calls(operation)]


@pytest.mark.parametrize(
    "trouble",
    [BUSY, SILENCE, LOGIN, Reply(403, {"detail": "not now"}), Reply(200, [1]), Reply(400, "")],
    ids=["503", "time-out", "a portal", "403", "another shape", "400"],
)
def test_a_question_that_came_to_nothing_is_asked_again_in_the_call(trouble: Any) -> None:
    server = DemandingServer()
    server.respond("get_client_config", trouble)
    with make_client(server, clock=SimulatedTime().clock) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        assert sampler.sample(PROMPT, 1, PARAMS).result(30).sequences
        assert service.dialect.flags is not None
    refused, again = sent(server, "create_session")
    assert refused[0] == KEY
    assert again[0] == server.given[0]
    assert refused[1] == again[1]
    assert questions(server) == 2
    assert server.exchanges == 1


def test_a_server_that_can_not_be_asked_for_a_while_is_waited_for() -> None:
    server, time_ = DemandingServer(), SimulatedTime()
    for _ in range(4):
        server.respond("get_client_config", BUSY, SILENCE)
    with make_client(server, clock=time_.clock) as service:
        for _ in range(2):
            service.get_server_capabilities()
    assert questions(server) == 9
    assert server.exchanges == 1
    assert [key for key, *_ in sent(server, "get_server_capabilities")] == [
        KEY,
        *server.given * 2,
    ], "nothing is sent before it has answered"
    assert time_.passed > 0


def test_one_that_was_given_up_is_asked_again() -> None:
    server = DemandingServer()
    server.respond("get_client_config", *[BUSY] * 3)
    server.live.add(KEY)
    with make_client(server, clock=SimulatedTime().clock) as service:
        for _ in range(5):
            service.get_server_capabilities()
        assert questions(server) == 3
        server.revoke()
        for _ in range(3):
            service.get_server_capabilities()
    assert questions(server) == 4
    assert server.exchanges == 1


def test_a_question_that_never_gets_through_ends_in_the_error_that_keeps_it() -> None:
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
    "answer",
    [Reply(403, {"detail": "not you"}), Reply(404, {"detail": "Not Found"}), Reply(422)],
    ids=["403", "404", "422"],
)
def test_who_has_no_answer_is_asked_once_more_a_call(answer: Reply) -> None:
    server = DemandingServer()
    server.respond_always("get_client_config", answer)
    with make_client(server) as service:
        for asked in (2, 3, 4):
            with pytest.raises(tinker.AuthenticationError, match="no such token") as caught:
                service.get_server_capabilities()
            assert caught.value.operation == "get_server_capabilities"
            assert questions(server) == asked
    assert len(server.calls("get_server_capabilities")) == 6


def test_who_wants_no_tokens_is_not_asked_again() -> None:
    server = FakeServer()
    server.respond_always("get_client_config", Reply(200, {"pjwt_auth_enabled": False}))
    server.respond_always("get_server_capabilities", INVALID)
    with make_client(server) as service, pytest.raises(tinker.AuthenticationError):
        service.get_server_capabilities()
    assert questions(server) == 1
    assert len(server.calls("get_server_capabilities")) == 1


def test_another_401_is_no_reason_to_ask() -> None:
    server = FakeServer()
    server.respond_always("get_client_config", Reply(403, {"detail": "not you"}))
    server.respond_always("get_server_capabilities", Reply(401, {"detail": "not you"}))
    with make_client(server) as service, pytest.raises(tinker.AuthenticationError):
        service.get_server_capabilities()
    assert questions(server) == 1


def test_a_refusal_of_the_exchange_is_told_at_once() -> None:
    server = DemandingServer()
    server.respond("get_client_config", BUSY)
    server.respond_always("create_auth_token", INVALID)
    with make_client(server) as service, pytest.raises(tinker.AuthenticationError):
        service.get_server_capabilities()
    assert questions(server) == 2
    assert server.exchanges == 1
    assert len(server.calls("get_server_capabilities")) == 1


@pytest.mark.parametrize("operation", ["forward_backward", "optim_step"])
def test_a_numbered_request_keeps_its_number(operation: str) -> None:
    server = DemandingServer()
    server.respond("get_client_config", *[BUSY] * 3)
    server.live.add(KEY)  # As one that comes to want tokens while it runs.
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
    assert (refused[0], again[0]) == (KEY, server.given[0])
    assert questions(server) == 4
    assert server.conflicts == []


def test_many_who_are_refused_together_cost_one_question_and_one_exchange() -> None:
    server = DemandingServer()
    server.respond("get_client_config", *[BUSY] * 3)
    server.live.add(KEY)
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        service.get_server_capabilities()
        assert questions(server) == 3
        server.revoke()
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            futures = list(
                threads.map(lambda _: sampler.sample(PROMPT, 1, PARAMS), range(50), chunksize=1)
            )
        assert all(future.result(30).sequences for future in futures)
    assert questions(server) == 4
    assert server.exchanges == 1
    by_number: dict[int, set[str | None]] = {}
    for _, idempotency_key, body in sent(server, "asample"):
        by_number.setdefault(body["seq_id"], set()).add(idempotency_key)
    assert sorted(by_number) == list(range(50))
    assert all(len(keys) == 1 for keys in by_number.values())
    assert server.conflicts == []


def test_what_was_learnt_meanwhile_is_kept_where_the_question_fails_again() -> None:
    server = FakeServer()
    server.respond_always("get_client_config", Reply(403, {"detail": "not you"}))
    unknown = {"type": "extra_forbidden", "loc": ["body", "type"], "msg": "no"}
    server.respond("create_session", Reply(422, {"detail": [unknown]}))
    with make_client(server) as service:
        service.create_lora_training_client("fake/model")
        server.respond("get_server_capabilities", INVALID, INVALID)
        with pytest.raises(tinker.AuthenticationError):
            service.get_server_capabilities()
        assert service.dialect.rejected_fields == {"create_session.type"}
    assert questions(server) == 2
