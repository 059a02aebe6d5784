"""Sampling: numbers, retries, results, cancellation."""

from __future__ import annotations

from typing import Any

from tinker_ext.testing.conformance.play import Play, scenario
from tinker_ext.testing.conformance.process import HungError, StepError
from tinker_ext.testing.conformance.server import PROTOBUF_PROTOCOL
from tinker_ext.testing.messages import Received, Reply

_COUNT = 20
# Seconds for a client to send cancel_future, which it may collect in batches, on a busy machine.
_CANCEL_SECONDS = 30.0


def _sampler(play: Play) -> str:
    play.open()
    return play.sampler()


@scenario("samples.numbers", "samples.backpressure")
def many_samples(play: Play) -> None:
    """Twenty samples at once."""
    sampler = _sampler(play)
    for call in [play.sample(sampler) for _ in range(_COUNT)]:
        play.result(call)
    requests = play.server.exchanges("asample")
    numbers = sorted(item.body.get("seq_id", -1) for item in requests)
    play.check(
        "samples.numbers",
        numbers == list(range(_COUNT)),
        expected=f"seq_id 0 to {_COUNT - 1}, once each",
        received=f"{len(requests)} requests, seq_id {numbers[0]} to {numbers[-1]}",
    )
    headers = {item.received.headers.get("x-tinker-sampling-backpressure") for item in requests}
    play.check(
        "samples.backpressure",
        headers == {"1"},
        expected="1 in every request",
        received=", ".join(sorted(map(str, headers))),
    )


@scenario("samples.retried")
def limited_sample(play: Play) -> None:
    """A sample gets 429."""
    sampler = _sampler(play)
    play.server.respond("asample", Reply(429, {"detail": "slow down"}))
    play.result(play.sample(sampler))
    numbers = [item.body.get("seq_id") for item in play.server.exchanges("asample")]
    play.check(
        "samples.retried",
        numbers == [0, 0],
        expected="seq_id 0, 0",
        received=f"seq_id {', '.join(map(str, numbers))}",
    )


@scenario("samples.expired")
def expired_sample(play: Play) -> None:
    """The result of the first submission is gone."""
    sampler = _sampler(play)
    play.server.respond("retrieve_future", Reply(410, {"detail": "expired"}))
    result = play.result(play.sample(sampler))
    numbers = [item.body.get("seq_id") for item in play.server.exchanges("asample")]
    play.check(
        "samples.expired",
        numbers == [0, 1] and result["sequences"][0]["tokens"] == [1, 2, 3],
        expected="a result, from seq_id 0, 1",
        received=f"seq_id {', '.join(map(str, numbers))}",
    )


@scenario("responses.sample")
def missing_sequence(play: Play) -> None:
    """The result has one of two requested sequences."""
    sampler = _sampler(play)
    play.change_results(
        "sequences", lambda result: {**result, "sequences": result["sequences"][:1]}
    )
    error = play.error(play.sample(sampler, num_samples=2))
    play.check("responses.sample", True, expected="an error", received=error)


def _endless(received: Received) -> Reply:
    return Reply(200, {"type": "try_again", "queue_state": "active"}, delay=0.1)


def _cancel(play: Play) -> tuple[str, list[Any]]:
    """Cancel a sample that is being polled; return the outcome of its call and its request ids."""
    sampler = _sampler(play)
    play.server.hooks["retrieve_future"] = _endless
    call = play.sample(sampler)
    play.wait_until(lambda: bool(play.server.exchanges("retrieve_future")))
    play.run("cancel", call=call.id)
    try:
        play.result(call)
        outcome = "the call succeeded"
    except StepError as error:
        outcome = str(error.fields.get("type"))
    except HungError as error:
        outcome = str(error)
    return outcome, [item.body["request_id"] for item in play.server.exchanges("retrieve_future")]


@scenario("cancellation.local")
def cancelled_call(play: Play) -> None:
    """A sample that never ends is cancelled."""
    outcome, _ = _cancel(play)
    play.check(
        "cancellation.local",
        outcome == "cancelled",
        expected="an error of type cancelled",
        received=outcome,
    )


@scenario("cancellation.sent", protocols=(PROTOBUF_PROTOCOL,), sample_cancel_enabled=True)
def cancelled_request(play: Play) -> None:
    """The same, on a server that cancels samples."""
    _, request_ids = _cancel(play)

    def cancelled() -> list[Any]:
        return [item.body.get("request_id") for item in play.server.exchanges("cancel_future")]

    play.wait_until(lambda: bool(cancelled()), _CANCEL_SECONDS)
    requests = cancelled()
    play.check(
        "cancellation.sent",
        bool(requests) and set(requests) <= set(request_ids),
        expected="cancel_future with the id of the sample",
        received=f"cancel_future with {', '.join(map(str, requests)) or 'nothing: not sent'}",
    )
