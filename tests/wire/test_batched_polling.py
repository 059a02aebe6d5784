"""Batched polling with `retrieve_futures`: requests, acknowledgements, and recovery from faults."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT, flagged
from tests.waiting import comes_true
from tinker_ext.runtime.results import batch_poller
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.wire.conftest import Fits
    from tinker_ext.testing import Received

FAILED = {"type": "request_failed", "error": "no", "category": "user"}


def sample_all(
    service: tinker.ServiceClient, count: int
) -> list[tinker.APIFuture[tinker.SampleResponse]]:
    sampler = service.create_sampling_client(base_model="fake/model")
    return [sampler.sample(PROMPT, 1, PARAMS) for _ in range(count)]


def no_completions_until(server: FakeServer, submitted: int) -> Callable[[Received], Reply]:
    """Returns no completions until so many samples are submitted, then all of them."""

    def respond(received: Received) -> Reply:
        if len(server.calls("asample")) < submitted:
            return Reply(200, {"completions": [], "cursor": received.body["prev_cursor"]})
        return server.default_reply(received)

    return respond


def acknowledged(server: FakeServer) -> list[str]:
    """The ids of acknowledged results, in the order of the requests."""
    calls = server.calls("retrieve_futures")
    return [item for call in calls for item in call.body["retrieved_request_ids"]]


def test_fifty_samples_are_each_fetched_once_after_completion(fits: Fits) -> None:
    server = flagged()
    server.respond_always("retrieve_futures", no_completions_until(server, 50))
    with make_client(server) as service:
        for future in sample_all(service, 50):
            assert future.result(20).sequences[0].tokens == [1, 2, 3]
    polls, batches = server.calls("retrieve_future"), server.calls("retrieve_futures")
    assert len({poll.body["request_id"] for poll in polls}) == len(polls) == 50
    assert len(batches) < 20
    for batch in batches:
        fits(batch, "0.38")
    session_id = server.calls("asample")[0].body["sampling_session_id"]
    target = {"type": "sampling_session", "sampling_session_id": session_id}
    assert batches[0].body["target"] == {**target, "cloned_sampler_id": 0}
    assert batches[-1].body["prev_cursor"] == 50
    assert batches[-1].body["timeout"] == 0, "the last request only acknowledges"
    assert set(acknowledged(server)) == set(server.results)


def test_idle_client_acknowledges_and_then_sends_no_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_poller, "ACK_DELAY", 0.05)
    server = flagged()
    with make_client(server) as service:
        [future] = sample_all(service, 1)
        future.result(10)
        assert comes_true(lambda: len(acknowledged(server)) == 1)
        polls = len(server.calls("retrieve_futures"))
        time.sleep(0.3)
        assert len(server.calls("retrieve_futures")) == polls
        sample_all(service, 1)[0].result(10)
    assert len(acknowledged(server)) == 2, "each result is acknowledged once"


def test_next_poll_carries_the_acknowledgement() -> None:
    server = flagged()
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        for _ in range(5):
            sampler.sample(PROMPT, 1, PARAMS).result(10)
        assert [call.body.get("timeout") for call in server.calls("retrieve_futures")] == [None] * 5


def test_failed_sample_raises_its_own_error() -> None:
    server = flagged()
    server.respond("asample", lambda _: server.submitted(FAILED))
    listed = {"completions": [{"state": "failed", "request_id": "request-2"}], "cursor": 1}
    server.respond("retrieve_futures", Reply(200, listed))
    with make_client(server) as service:
        [future] = sample_all(service, 1)
        with pytest.raises(tinker.RequestFailedError, match="no"):
            future.result(10)
    assert acknowledged(server) == ["request-2"]


def test_size_in_a_completion_is_not_requested_again() -> None:
    server = flagged()

    def sized(received: Received) -> Reply:
        body = server.default_reply(received).body
        for item in body["completions"]:
            item["response_payload_uncompressed_size"] = 10**9
        return Reply(200, body)

    server.respond_always("retrieve_futures", sized)
    with make_client(server) as service:
        for future in sample_all(service, 3):
            future.result(10)
    polls = server.calls("retrieve_future")
    assert [poll.body["allow_metadata_only"] for poll in polls] == [False] * 3


def test_earlier_release_is_sent_no_acknowledgements() -> None:
    server = flagged(latest=False)
    with make_client(server) as service:
        assert sample_all(service, 1)[0].result(10).sequences
        assert service.server_protocol.release == "0.32.0"
    for poll in server.calls("retrieve_futures"):
        assert set(poll.body) <= {"target", "prev_cursor", "timeout"}


def test_server_that_rejects_acknowledgements_is_sent_no_more() -> None:
    server = flagged()
    fault = {"type": "extra_forbidden", "loc": ["body", "retrieved_request_ids"], "msg": "no"}
    server.respond("retrieve_futures", Reply(422, {"detail": [fault]}))
    with make_client(server) as service:
        assert sample_all(service, 1)[0].result(10).sequences
    first, *others = server.calls("retrieve_futures")
    assert "retrieved_request_ids" in first.body
    assert others
    assert not [other for other in others if "retrieved_request_ids" in other.body]


@pytest.mark.parametrize("use", [True, False], ids=["enabled", "disabled"])
def test_batched_polling_is_used_if_the_flag_enables_it(use: bool) -> None:
    server = flagged(sample_use_retrieve_futures=use)
    with make_client(server) as service:
        assert sample_all(service, 1)[0].result(10).sequences
    assert bool(server.calls("retrieve_futures")) is use


FAULTS: dict[str, Any] = {
    "500": Reply(500, "Internal Server Error"),
    "the proxy's 502": Reply(502, "<html>Bad Gateway</html>"),
    "connection error": httpx.ConnectError("no"),
    "404": Reply(404, {"detail": "Not Found"}),
    "405": Reply(405, {"detail": "Method Not Allowed"}),
    "501": Reply(501, {"detail": "not implemented"}),
    "404 for the session": Reply(404, {"detail": "there is no sampling session 'x'"}),
    "403": Reply(403, {"detail": "not you"}),
    "permanent 400": Reply(400, ""),
    "HTML page": Reply(200, "<html>login</html>"),
    "array": Reply(200, [1, 2, 3]),
    "no cursor": Reply(200, {"completions": []}),
    "malformed completions": Reply(200, {"completions": ["a"], "cursor": "x"}),
}
LACKING = ("404", "405", "501")


@pytest.mark.parametrize("fault", FAULTS)
def test_samples_are_polled_singly_if_batched_polling_fails(fault: str) -> None:
    server, time_ = flagged(), SimulatedTime()
    server.respond_always("retrieve_futures", FAULTS[fault])
    with make_client(server, clock=time_.clock) as service:
        for future in sample_all(service, 20):
            assert future.result(30).sequences[0].tokens == [1, 2, 3]
        assert service.server_protocol.supports("retrieve_futures") is (fault not in LACKING)
        polls = len(server.calls("retrieve_futures"))
        assert sample_all(service, 1)[0].result(30).sequences
        assert len(server.calls("retrieve_futures")) == polls, "batched polling is disabled"
    assert len(server.calls("retrieve_future")) == 21
    assert not server.conflicts
    assert time_.passed < batch_poller.DISABLED_FOR


def test_batched_polling_resumes_after_the_disabled_period() -> None:
    server, time_ = flagged(), SimulatedTime()
    server.respond("retrieve_futures", Reply(403, {"detail": "not you"}))
    with make_client(server, clock=time_.clock) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        sampler.sample(PROMPT, 1, PARAMS).result(10)
        assert len(server.calls("retrieve_futures")) == 1
        time_.pass_by(batch_poller.DISABLED_FOR)
        sampler.sample(PROMPT, 1, PARAMS).result(10)
        assert len(server.calls("retrieve_futures")) == 2


@pytest.mark.parametrize(
    "fault",
    [Reply(400, ""), Reply(503, {"detail": "busy"}), httpx.ReadError("lost")],
    ids=["400", "503", "connection lost"],
)
def test_temporary_fault_of_batched_polling_is_retried(fault: Any) -> None:
    server, time_ = flagged(), SimulatedTime()
    server.respond("retrieve_futures", fault, fault, fault)
    with make_client(server, clock=time_.clock) as service:
        assert sample_all(service, 1)[0].result(10).sequences
    assert len(server.calls("retrieve_futures")) >= 4
    assert len(server.calls("retrieve_future")) == 1
    assert sum(time_.slept) > 0


def test_unreported_sample_is_polled_singly_after_max_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_poller, "MAX_WAIT", 0.2)
    server = flagged()
    server.respond_always("retrieve_futures", Reply(200, {"completions": [], "cursor": 0}))
    waiting = Reply(200, {"type": "try_again", "request_id": "x", "queue_state": "active"})
    server.respond("retrieve_future", waiting)
    with make_client(server) as service:
        started = time.monotonic()
        assert sample_all(service, 1)[0].result(10).sequences
        assert time.monotonic() - started > 0.4, "MAX_WAIT passed twice"
    assert len(server.calls("retrieve_future")) == 2


def test_completion_reported_before_it_is_awaited_is_remembered() -> None:
    server = flagged()
    early = {"completions": [{"request_id": f"request-{n}"} for n in range(9)], "cursor": 9}
    server.respond("retrieve_futures", Reply(200, early))
    server.respond_always("retrieve_futures", Reply(200, {"completions": [], "cursor": 9}))
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        for _ in range(4):
            assert sampler.sample(PROMPT, 1, PARAMS).result(10).sequences
    assert len(server.calls("retrieve_future")) == 4


def test_close_acknowledges_results_without_waiting_for_a_response() -> None:
    server = flagged()
    service = make_client(server)
    [future] = sample_all(service, 1)
    future.result(10)
    server.respond_always("retrieve_futures", Reply(500, "no"))
    started = time.monotonic()
    service.close()
    assert time.monotonic() - started < batch_poller.CLOSE_TIMEOUT + 3
    assert acknowledged(server)


def test_close_ends_all_waiting_futures() -> None:
    server = flagged()
    server.respond_always(
        "retrieve_futures", Reply(200, {"completions": [], "cursor": 0}, delay=30.0)
    )
    service = make_client(server)
    futures = sample_all(service, 5)
    assert comes_true(lambda: bool(server.calls("retrieve_futures")))
    started = time.monotonic()
    service.close(timeout=0.1)
    assert time.monotonic() - started < batch_poller.CLOSE_TIMEOUT + 3
    for future in futures:
        with pytest.raises(tinker.ClientClosedError):
            future.result(5)
