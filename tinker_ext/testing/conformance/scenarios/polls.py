"""Polling for results."""

from __future__ import annotations

import itertools

from tinker_ext.testing import faults
from tinker_ext.testing.conformance.play import Play, gaps, scenario
from tinker_ext.testing.conformance.server import PROTOBUF_PROTOCOL, Exchange
from tinker_ext.testing.messages import Received, Reply

# The shortest pause that the rule allows is 50 ms (`rules.polling.MIN_PAUSE`); seconds.
_SHORTEST = 0.04
_TRY_AGAIN = Reply(200, {"type": "try_again", "queue_state": "active"})
_PAUSED = Reply(200, {"type": "try_again", "queue_state": "paused_capacity"})
_TIMED_OUT = Reply(408, {"queue_state": "active"})
_BUSY = Reply(503, {"detail": "busy"})


def _polls(play: Play, after: int) -> list[Exchange]:
    return play.server.exchanges("retrieve_future")[after:]


@scenario("polls.waiting", "polls.pause")
def unfinished_result(play: Play) -> None:
    """A result that is ready at the ninth poll; no response is delayed."""
    training = play.training()
    before = len(_polls(play, 0))
    waiting = [_TRY_AGAIN, _TIMED_OUT, _PAUSED, _TIMED_OUT] * 2
    play.server.respond("retrieve_future", *waiting)
    play.result(play.update(training))
    polls = _polls(play, before)
    submitted = len(play.server.exchanges("optim_step"))
    play.check(
        "polls.waiting",
        len(polls) == 9 and submitted == 1,
        expected="9 polls of 1 request",
        received=f"{len(polls)} polls of {submitted} requests",
    )
    pauses = gaps((one.responded, two.arrived) for one, two in itertools.pairwise(polls))
    shortest = min(pauses, default=0.0)
    play.check(
        "polls.pause",
        shortest >= _SHORTEST,
        expected=f"at least {1000 * _SHORTEST:.0f} ms between polls",
        received="a pause" if shortest >= _SHORTEST else "polls without a pause",
    )


@scenario("polls.faults")
def faulty_polls(play: Play) -> None:
    """Polls get 503, half of a response, and none."""
    training = play.training()
    before = len(_polls(play, 0))
    play.server.respond("retrieve_future", _BUSY, faults.half_sent(), faults.dropped())
    play.result(play.train(training))
    polls, submitted = _polls(play, before), len(play.server.exchanges("forward_backward"))
    play.check(
        "polls.faults",
        len(polls) == 4 and submitted == 1,
        expected="4 polls of 1 request",
        received=f"{len(polls)} polls of {submitted} requests",
    )


@scenario("polls.limited")
def limited_poll(play: Play) -> None:
    """A poll gets 429 with Retry-After: 4."""
    training = play.training()
    before = len(_polls(play, 0))
    play.server.respond("retrieve_future", Reply(429, {"detail": "slow"}, {"Retry-After": "4"}))
    play.result(play.update(training))
    first, second = _polls(play, before)[:2]
    waited = second.arrived - (first.responded or 0.0)
    play.check(
        "polls.limited",
        waited >= 3.98,
        expected="4 s until the next poll",
        received=f"{waited:.2f} s",
    )


@scenario("polls.failed")
def failed_operation(play: Play) -> None:
    """The operation fails."""
    training = play.training()
    failure = {"type": "request_failed", "error": "token 99 is unknown", "category": "user"}
    play.server.respond("retrieve_future", Reply(200, failure))
    error = play.error(play.train(training))
    submitted = len(play.server.exchanges("forward_backward"))
    play.check(
        "polls.failed",
        submitted == 1 and "token 99 is unknown" in error.message,
        expected="1 request, and an error with the server's message",
        received=f"{submitted} requests; {error}",
    )


def _check_final(play: Play, rule: str, status: int) -> None:
    training = play.training()
    before = len(_polls(play, 0))
    reply = Reply(status, {"detail": f"future: status {status}"})
    play.server.respond("retrieve_future", reply, reply, reply, reply)
    error = play.error(play.update(training))
    polls, submitted = len(_polls(play, before)), len(play.server.exchanges("optim_step"))
    play.check(
        rule,
        polls == submitted == 1,
        expected="an error after 1 poll of 1 request",
        received=f"{error}; {polls} polls of {submitted} requests",
    )


@scenario("polls.refused")
def unknown_future(play: Play) -> None:
    """The server does not know the request."""
    _check_final(play, "polls.refused", 404)


@scenario("polls.expired")
def expired_result(play: Play) -> None:
    """The server no longer has the result of a training request."""
    _check_final(play, "polls.expired", 410)


@scenario("polls.size", protocols=(PROTOBUF_PROTOCOL,))
def large_result(play: Play) -> None:
    """The server announces the size of each result that may be announced."""
    training = play.training()

    def announced(received: Received) -> Reply:
        if received.body.get("allow_metadata_only"):
            return Reply(200, {"status": "complete_metadata", "response_payload_size": 1000})
        return play.server.process(received)

    play.server.hooks["retrieve_future"] = announced
    result = play.result(play.train(training))
    announcements = [item for item in _polls(play, 0) if item.body.get("allow_metadata_only")]
    play.check(
        "polls.size",
        len(result["logprobs"]) == 1,
        expected="the result",
        received=f"{len(result['logprobs'])} outputs, {len(announcements)} of them announced",
    )
