"""Retries of submissions, and polling for results."""

from __future__ import annotations

import itertools
import time
from typing import Any

from tinker_ext.testing import faults
from tinker_ext.testing.conformance.play import KEY, Play, StepError, gaps, scenario
from tinker_ext.testing.conformance.server import PROTOBUF_PROTOCOL, Exchange
from tinker_ext.testing.fault_server import FaultServer
from tinker_ext.testing.messages import Received, Reply

_BUSY = {"detail": "busy"}
# Seconds for a client to read a response.
_READ_SECONDS = 0.3
# Clocks of two processes agree to within this; seconds.
_TOLERANCE = 0.02


def _waits(play: Play, operation: str) -> list[float]:
    requests = play.server.exchanges(operation)
    return gaps((before.responded, after.arrived) for before, after in itertools.pairwise(requests))


@scenario("attempts.status", "attempts.same")
def busy_server(play: Play) -> None:
    """Two attempts get 503."""
    training = play.training()
    play.server.respond("optim_step", Reply(503, _BUSY), Reply(503, _BUSY))
    play.result(play.update(training))
    requests = play.server.exchanges("optim_step")
    play.check(
        "attempts.status",
        len(requests) == 3,
        expected="3 attempts",
        received=f"{len(requests)} attempts",
    )
    bodies = {str(item.body) for item in requests}
    keys = {item.received.headers.get("x-idempotency-key") for item in requests}
    play.check(
        "attempts.same",
        len(bodies) == len(keys) == 1 and None not in keys,
        expected="one body and one idempotency key",
        received=f"{len(bodies)} bodies and {len(keys)} idempotency keys",
    )


@scenario("attempts.client_error")
def bad_request(play: Play) -> None:
    """The server rejects a request with 400."""
    training = play.training()
    play.server.respond_always("optim_step", Reply(400, {"detail": "no gradients to apply"}))
    error = play.error(play.update(training))
    requests = len(play.server.exchanges("optim_step"))
    play.check(
        "attempts.client_error",
        requests == 1 and "no gradients to apply" in error.message,
        expected="1 attempt, and an error with the server's message",
        received=f"{requests} attempts; {error}",
    )


def _check_wait(play: Play, rule: str, reply: Reply, seconds: float) -> None:
    training = play.training()
    play.server.respond("optim_step", reply)
    play.result(play.update(training))
    [waited] = _waits(play, "optim_step")[:1] or [0.0]
    play.check(
        rule,
        waited >= seconds - _TOLERANCE,
        expected=f"at least {seconds:g} s between the attempts",
        received=f"{waited:.2f} s",
    )


@scenario("attempts.retry_after")
def retry_after(play: Play) -> None:
    """A 503 with Retry-After: 2, longer than any first backoff."""
    _check_wait(play, "attempts.retry_after", Reply(503, _BUSY, {"Retry-After": "2"}), 2.0)


@scenario("attempts.retry_after_ms")
def retry_after_ms(play: Play) -> None:
    """A 503 with both headers; only the finer one asks for 1.6 s."""
    headers = {"retry-after-ms": "1600", "Retry-After": "1"}
    _check_wait(play, "attempts.retry_after_ms", Reply(503, _BUSY, headers), 1.6)


@scenario("attempts.billing")
def billing(play: Play) -> None:
    """The account can pay only at the second attempt."""
    _check_wait(play, "attempts.billing", Reply(402, {"detail": "add credits"}), 4.0)


@scenario("attempts.stop")
def final_error(play: Play) -> None:
    """A 503 that says not to retry."""
    training = play.training()
    play.server.respond_always("optim_step", Reply(503, _BUSY, {"x-should-retry": "false"}))
    call = play.call("optim_step", on=training, learning_rate=0.001)
    play.wait_until(lambda: call.done or len(play.server.exchanges("optim_step")) > 1)
    requests = len(play.server.exchanges("optim_step"))
    outcome = "still retrying"
    if requests == 1:
        outcome = str(play.error(call))
    play.server.respond_by_default()
    play.check(
        "attempts.stop",
        requests == 1,
        expected="1 attempt and an error",
        received=f"{requests} attempts; {outcome}",
    )


@scenario("attempts.force")
def temporary_error(play: Play) -> None:
    """A 400 that asks for a retry."""
    training = play.training()
    play.server.respond("optim_step", Reply(400, _BUSY, {"x-should-retry": "true"}))
    play.result(play.update(training))
    requests = len(play.server.exchanges("optim_step"))
    play.check(
        "attempts.force", requests == 2, expected="2 attempts", received=f"{requests} attempts"
    )


@scenario("attempts.shared_pause")
def rate_limit(play: Play) -> None:
    """The first model gets 429 with Retry-After: 4; a call of the second follows at once."""
    first = play.training()
    second = play.model()
    play.server.respond("optim_step", Reply(429, _BUSY, {"Retry-After": "4"}))
    limited = play.update(first)

    def responses() -> list[float]:
        requests = play.server.exchanges("optim_step")
        return [item.responded for item in requests if item.responded is not None]

    play.wait_until(lambda: bool(responses()))
    time.sleep(_READ_SECONDS)
    play.result(play.train(second))
    play.result(limited)
    waited = play.server.exchanges("forward_backward")[0].arrived - responses()[0]
    play.check(
        "attempts.shared_pause",
        waited >= 4.0 - _TOLERANCE,
        expected="no request within 4 s of the 429",
        received=f"the next request after {waited:.2f} s",
    )


@scenario("attempts.proxy")
def proxy_pages(play: Play) -> None:
    """A proxy responds with its page: once with 502, once with 200."""
    training = play.training()
    play.server.respond("optim_step", faults.proxy_page(502), faults.proxy_page(200))
    play.result(play.update(training))
    requests = play.server.exchanges("optim_step")
    numbers = {item.body.get("seq_id") for item in requests}
    play.check(
        "attempts.proxy",
        len(requests) == 3 and len(numbers) == 1,
        expected="3 attempts with one seq_id",
        received=f"{len(requests)} attempts with {len(numbers)} seq_ids",
    )


@scenario("secrets.errors", "secrets.redirect")
def secrets(play: Play) -> None:
    """A redirect to another host, then an error whose body repeats the key."""
    training = play.training()
    with FaultServer() as other:
        target = f"{other.url.replace('127.0.0.1', 'localhost')}/api/v1/optim_step"
        play.server.respond("optim_step", Reply(307, None, {"location": target}))
        outcome: Any = "the call succeeded"
        try:
            play.result(play.update(training))
        except StepError as error:
            outcome = error
        received = list(other.received)
    leaks = [item for item in received if KEY in str(dict(item.headers)) or KEY in str(item.body)]
    play.check(
        "secrets.redirect",
        not leaks,
        expected="the other host receives no key",
        received=f"{len(leaks)} of {len(received)} requests with the key; {outcome}",
    )
    echo = {"detail": f"the key {KEY} has no access to this model"}
    play.server.respond_always("optim_step", Reply(403, echo))
    play.error(play.update(training))
    leaking = [text for text in play.errors if KEY in text]
    play.check(
        "secrets.errors",
        not leaking,
        expected="no error message with the key",
        received=leaking[0] if leaking else "none",
    )


# The shortest pause that the rule allows is 50 ms (`rules.polling.MIN_PAUSE`); seconds.
_SHORTEST = 0.04
_TRY_AGAIN = Reply(200, {"type": "try_again", "queue_state": "active"})
_PAUSED = Reply(200, {"type": "try_again", "queue_state": "paused_capacity"})
_TIMED_OUT = Reply(408, {"queue_state": "active"})
_UNAVAILABLE = Reply(503, {"detail": "busy"})


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
    play.server.respond("retrieve_future", _UNAVAILABLE, faults.half_sent(), faults.dropped())
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
