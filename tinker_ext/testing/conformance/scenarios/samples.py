"""Sampling: numbers, retries, results, cancellation; and what release 0.38.0 added.

The additions are protobuf, credentials and batched polling.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Any

import attrs

from tinker_ext.testing.conformance.play import KEY, HungError, Play, StepError, datum, scenario
from tinker_ext.testing.conformance.server import PROTOBUF, PROTOBUF_PROTOCOL, Exchange
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


_LATER = (PROTOBUF_PROTOCOL,)
_INVALID_TOKEN = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
_SAMPLES = 10


@scenario("protobuf.request", "protobuf.result", "protobuf.forward", protocols=_LATER)
def protobuf(play: Play) -> None:
    """A forward and a forward_backward."""
    training = play.training()
    result = play.result(play.train(training, [datum((1, 2, 3)), datum((4, 5))]))
    [request] = play.server.exchanges("forward_backward")
    data = request.body.get("forward_backward_input", {}).get("data", [])
    inputs = [item["model_input"]["chunks"][0]["tokens"] for item in data]
    targets = [item["loss_fn_inputs"]["target_tokens"]["data"] for item in data]
    play.check(
        "protobuf.request",
        PROTOBUF in request.content_type
        and (inputs, targets) == ([[1, 2, 3], [4, 5]], [[2, 3, 4], [5, 6]]),
        expected="a ForwardBackwardRequest with two datums",
        received=f"{request.content_type}, tokens {inputs}, targets {targets}",
    )
    accepted = [item.received.headers.get("accept", "") for item in _training_polls(play)]
    logprobs = result["logprobs"]
    play.check(
        "protobuf.result",
        logprobs == [[-1.0] * 3, [-1.0] * 2] and any(PROTOBUF in kind for kind in accepted),
        expected="logprobs of a protobuf result",
        received=f"Accept {', '.join(accepted)}; logprobs {logprobs}",
    )
    play.result(play.call("forward", on=training, data=[datum()], loss_fn="cross_entropy"))
    flags = [item.body.get("forward_only") for item in play.server.exchanges("forward_backward")]
    play.check(
        "protobuf.forward",
        flags == [False, True],
        expected="forward_only false, true",
        received=f"forward_only {flags}",
    )


def _training_polls(play: Play) -> list[Exchange]:
    request_ids = {
        name for name, result in play.server.results.items() if "loss_fn_outputs" in result
    }
    polls = play.server.exchanges("retrieve_future")
    return [item for item in polls if item.body.get("request_id") in request_ids]


class _Tokens:
    """Exchanges the key for tokens and rejects requests without a valid one."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._lock = threading.Lock()
        self.issued: list[str] = []
        self.valid: set[str] = set()
        self.rejected: set[str] = set()

    def issue(self, received: Received) -> Reply:
        with self._lock:
            token = _token(len(self.issued))
            self.issued.append(token)
            self.valid.add(token)
        return Reply(200, {"jwt": token})

    def guard(self, received: Received) -> Reply:
        key = received.headers.get("x-api-key", "")
        if key in self.valid:
            return self._play.server.process(received)
        if key != KEY:
            self.rejected.add(key)
        return Reply(401, {"detail": "the token is not valid"}, _INVALID_TOKEN)


def _token(number: int) -> str:
    """A token in the form of RFC 7519, which expires in an hour."""
    now = int(time.time())
    payload = {"sub": "user", "jti": number, "iat": now, "exp": now + 3600}
    parts = [{"alg": "none"}, payload]
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*texts, b"signature"]).decode()


@scenario("credentials.exchange", "credentials.renewal", protocols=_LATER, pjwt_auth_enabled=True)
def tokens(play: Play) -> None:
    """The server requires tokens, and later rejects the one that it issued."""
    tokens = _Tokens(play)
    guarded = ("create_session", "create_model", "optim_step", "retrieve_future", "asample")
    play.server.hooks = {
        "create_auth_token": tokens.issue,
        **dict.fromkeys(guarded, tokens.guard),
    }
    training = play.training()
    play.result(play.update(training))
    keys = {item.received.headers.get("x-api-key") for item in play.server.exchanges(*guarded)}
    play.check(
        "credentials.exchange",
        len(tokens.issued) == 1 and keys <= set(tokens.issued),
        expected="1 exchange, then the token in every request",
        received=f"{len(tokens.issued)} exchanges; requests with {len(keys)} credentials",
    )
    tokens.valid.clear()
    calls = [play.update(training) for _ in range(3)]
    for call in calls:
        play.result(call)
    applied = len({item.body.get("seq_id") for item in play.server.exchanges("optim_step")})
    play.check(
        "credentials.renewal",
        len(tokens.issued) == 2 and applied == 4,
        expected="1 more exchange, and 3 more results",
        received=f"{len(tokens.issued) - 1} more exchanges, {applied - 1} more requests",
    )


@scenario(
    "completions.polled",
    "completions.acknowledged",
    protocols=_LATER,
    sample_use_retrieve_futures=True,
)
def completions(play: Play) -> None:
    """Ten samples that complete together."""
    server = play.server

    def all_or_none(received: Received) -> Reply:
        if len(server.exchanges("asample")) < _SAMPLES:
            cursor = received.body.get("prev_cursor", 0)
            return Reply(200, {"completions": [], "cursor": cursor}, delay=0.05)
        reply = server.process(received)
        return attrs.evolve(reply, delay=0.05)

    server.hooks["retrieve_futures"] = all_or_none
    play.open()
    sampler = play.sampler()
    for call in [play.sample(sampler) for _ in range(_SAMPLES)]:
        play.result(call)
    samples = set(server.results)
    polls = [
        item for item in server.exchanges("retrieve_future") if item.body["request_id"] in samples
    ]
    batched = server.exchanges("retrieve_futures")
    play.check(
        "completions.polled",
        bool(batched) and len(polls) == _SAMPLES,
        expected=f"retrieve_futures, and {_SAMPLES} polls for results",
        received=f"{len(batched)} retrieve_futures, {len(polls)} polls",
    )

    def acknowledged() -> set[str]:
        calls = server.exchanges("retrieve_futures")
        return {name for item in calls for name in item.body.get("retrieved_request_ids") or ()}

    complete = play.wait_until(lambda: acknowledged() >= samples, 20.0)
    cursors = [item.body.get("prev_cursor") or 0 for item in server.exchanges("retrieve_futures")]
    play.check(
        "completions.acknowledged",
        complete and max(cursors) == _SAMPLES and cursors == sorted(cursors),
        expected=f"{_SAMPLES} ids, and prev_cursor up to {_SAMPLES}",
        received=f"{len(acknowledged())} ids, and prev_cursor up to {max(cursors, default=0)}",
    )
