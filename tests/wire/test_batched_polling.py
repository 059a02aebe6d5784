"""Many samples, one question: what is asked and reported, and that nothing is lost with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import tinker_ext as tinker
from tests.waiting import comes_true
from tests.wire.flagged import flagged
from tinker_ext.runtime.results import batch_poller
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.wire.conftest import Fits
    from tinker_ext.testing import Received

PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
PARAMS = tinker.SamplingParams(max_tokens=3)
FAILED = {"type": "request_failed", "error": "no", "category": "user"}


def sample_all(
    service: tinker.ServiceClient, count: int
) -> list[tinker.APIFuture[tinker.SampleResponse]]:
    sampler = service.create_sampling_client(base_model="fake/model")
    return [sampler.sample(PROMPT, 1, PARAMS) for _ in range(count)]


def untold_until(server: FakeServer, submitted: int) -> Callable[[Received], Reply]:
    """Tells nothing before so many samples are there, and then all of them."""

    def respond(received: Received) -> Reply:
        if len(server.calls("asample")) < submitted:
            return Reply(200, {"completions": [], "cursor": received.body["prev_cursor"]})
        return server.default_reply(received)

    return respond


def reported(server: FakeServer) -> list[str]:
    """The requests whose results the server may drop, in the order of the reports."""
    asked = server.calls("retrieve_futures")
    return [item for call in asked for item in call.body["retrieved_request_ids"]]


def test_fifty_samples_are_asked_for_once_when_they_are_there(fits: Fits) -> None:
    server = flagged()
    server.respond_always("retrieve_futures", untold_until(server, 50))
    with make_client(server) as service:
        for future in sample_all(service, 50):
            assert future.result(20).sequences[0].tokens == [1, 2, 3]
    polls, questions = server.calls("retrieve_future"), server.calls("retrieve_futures")
    assert len({poll.body["request_id"] for poll in polls}) == len(polls) == 50
    assert len(questions) < 20
    for question in questions:
        fits(question, "0.38")
    session_id = server.calls("asample")[0].body["sampling_session_id"]
    target = {"type": "sampling_session", "sampling_session_id": session_id}
    assert questions[0].body["target"] == {**target, "cloned_sampler_id": 0}
    assert questions[-1].body["prev_cursor"] == 50
    assert questions[-1].body["timeout"] == 0, "it only reports"
    assert set(reported(server)) == set(server.results)


def test_who_waits_for_nothing_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_poller, "ACK_DELAY", 0.05)
    server = flagged()
    with make_client(server) as service:
        [future] = sample_all(service, 1)
        future.result(10)
        assert comes_true(lambda: len(reported(server)) == 1)
        asked = len(server.calls("retrieve_futures"))
        time.sleep(0.3)
        assert len(server.calls("retrieve_futures")) == asked
        sample_all(service, 1)[0].result(10)
    assert len(reported(server)) == 2, "each once"


def test_who_samples_again_soon_reports_with_the_next_question() -> None:
    server = flagged()
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        for _ in range(5):
            sampler.sample(PROMPT, 1, PARAMS).result(10)
        assert [call.body.get("timeout") for call in server.calls("retrieve_futures")] == [None] * 5


def test_a_failed_sample_raises_its_own_error() -> None:
    server = flagged()
    server.respond("asample", lambda _: server.submitted(FAILED))
    listed = {"completions": [{"state": "failed", "request_id": "request-2"}], "cursor": 1}
    server.respond("retrieve_futures", Reply(200, listed))
    with make_client(server) as service:
        [future] = sample_all(service, 1)
        with pytest.raises(tinker.RequestFailedError, match="no"):
            future.result(10)
    assert reported(server) == ["request-2"]


def test_a_size_that_was_told_is_not_asked_for_again() -> None:
    server = flagged()

    def sized(received: Received) -> Reply:
        told = server.default_reply(received).body
        for item in told["completions"]:
            item["response_payload_uncompressed_size"] = 10**9
        return Reply(200, told)

    server.respond_always("retrieve_futures", sized)
    with make_client(server) as service:
        for future in sample_all(service, 3):
            future.result(10)
    asked = [call.body["allow_metadata_only"] for call in server.calls("retrieve_future")]
    assert asked == [False] * 3


def test_an_earlier_release_is_not_told_what_was_fetched() -> None:
    server = flagged(latest=False)
    with make_client(server) as service:
        assert sample_all(service, 1)[0].result(10).sequences
        assert service.dialect.release == "0.32.0"
    for question in server.calls("retrieve_futures"):
        assert set(question.body) <= {"target", "prev_cursor", "timeout"}


def test_one_that_has_no_use_for_it_is_told_no_more() -> None:
    server = flagged()
    fault = {"type": "extra_forbidden", "loc": ["body", "retrieved_request_ids"], "msg": "no"}
    server.respond("retrieve_futures", Reply(422, {"detail": [fault]}))
    with make_client(server) as service:
        assert sample_all(service, 1)[0].result(10).sequences
    first, *others = server.calls("retrieve_futures")
    assert "retrieved_request_ids" in first.body
    assert others
    assert not [other for other in others if "retrieved_request_ids" in other.body]


@pytest.mark.parametrize("use", [True, False], ids=["told so", "not told"])
def test_it_is_done_where_the_server_asks_for_it(use: bool) -> None:
    server = flagged(sample_use_retrieve_futures=use)
    with make_client(server) as service:
        assert sample_all(service, 1)[0].result(10).sequences
    assert bool(server.calls("retrieve_futures")) is use


FAULTS: dict[str, Any] = {
    "500": Reply(500, "Internal Server Error"),
    "the proxy's 502": Reply(502, "<html>Bad Gateway</html>"),
    "no connection": httpx.ConnectError("no"),
    "404": Reply(404, {"detail": "Not Found"}),
    "405": Reply(405, {"detail": "Method Not Allowed"}),
    "501": Reply(501, {"detail": "not implemented"}),
    "404 for the session": Reply(404, {"detail": "there is no sampling session 'x'"}),
    "403": Reply(403, {"detail": "not you"}),
    "400 for ever": Reply(400, ""),
    "no JSON": Reply(200, "<html>login</html>"),
    "another shape": Reply(200, [1, 2, 3]),
    "no cursor": Reply(200, {"completions": []}),
    "texts for entries": Reply(200, {"completions": ["a"], "cursor": "x"}),
}
LACKING = ("404", "405", "501")


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_where_the_question_comes_to_nothing(fault: str) -> None:
    server, time_ = flagged(), SimulatedTime()
    server.respond_always("retrieve_futures", FAULTS[fault])
    with make_client(server, clock=time_.clock) as service:
        for future in sample_all(service, 20):
            assert future.result(30).sequences[0].tokens == [1, 2, 3]
        assert service.dialect.supports("retrieve_futures") is (fault not in LACKING)
        asked = len(server.calls("retrieve_futures"))
        assert sample_all(service, 1)[0].result(30).sequences
        assert len(server.calls("retrieve_futures")) == asked, "it is put aside"
    assert len(server.calls("retrieve_future")) == 21
    assert not server.conflicts
    assert time_.passed < batch_poller.DISABLED_FOR


def test_a_question_put_aside_is_asked_again_later() -> None:
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
def test_what_passes_is_sat_out(fault: Any) -> None:
    server, time_ = flagged(), SimulatedTime()
    server.respond("retrieve_futures", fault, fault, fault)
    with make_client(server, clock=time_.clock) as service:
        assert sample_all(service, 1)[0].result(10).sequences
    assert len(server.calls("retrieve_futures")) >= 4
    assert len(server.calls("retrieve_future")) == 1
    assert sum(time_.slept) > 0


def test_what_nobody_tells_of_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_poller, "MAX_WAIT", 0.2)
    server = flagged()
    server.respond_always("retrieve_futures", Reply(200, {"completions": [], "cursor": 0}))
    waiting = Reply(200, {"type": "try_again", "request_id": "x", "queue_state": "active"})
    server.respond("retrieve_future", waiting)
    with make_client(server) as service:
        started = time.monotonic()
        assert sample_all(service, 1)[0].result(10).sequences
        assert time.monotonic() - started > 0.4, "it waited to be told, twice"
    assert len(server.calls("retrieve_future")) == 2


def test_what_was_told_before_it_was_asked_for_is_remembered() -> None:
    server = flagged()
    early = {"completions": [{"request_id": f"request-{n}"} for n in range(9)], "cursor": 9}
    server.respond("retrieve_futures", Reply(200, early))
    server.respond_always("retrieve_futures", Reply(200, {"completions": [], "cursor": 9}))
    with make_client(server) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        for _ in range(4):
            assert sampler.sample(PROMPT, 1, PARAMS).result(10).sequences
    assert len(server.calls("retrieve_future")) == 4


def test_closing_reports_what_was_fetched_and_waits_for_no_answer() -> None:
    server = flagged()
    service = make_client(server)
    [future] = sample_all(service, 1)
    future.result(10)
    server.respond_always("retrieve_futures", Reply(500, "no"))
    started = time.monotonic()
    service.close()
    assert time.monotonic() - started < batch_poller.CLOSE_TIMEOUT + 3
    assert reported(server)


def test_closing_in_the_middle_ends_all_that_wait() -> None:
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
