"""Sessions, heartbeats, and the end of both; the form of requests, and input that sends none."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from importlib.util import find_spec

from tinker_ext.install_hints import install_hint
from tinker_ext.testing.conformance.play import KEY, Call, Play, StepError, datum, scenario
from tinker_ext.testing.conformance.server import JSON_PROTOCOL, PROTOBUF, Exchange
from tinker_ext.testing.messages import Reply

# Operations that are sent without the key of the session, or before there is one.
_BACKGROUND = ("send_telemetry", "get_client_config", "get_client_dynamic_config")
# Operations that change something, and have an idempotency key.
_CHANGING = frozenset(
    {
        "create_session",
        "create_model",
        "create_sampling_session",
        "save_weights_for_sampler",
        "optim_step",
    }
)
# Seconds that the server takes for a heartbeat. A client that waits for the response and then ten
# seconds sends the next one after 19 s; one that follows the rule, after 10 s.
_SLOW = 9.0
_INTERVAL = 10.0
# Limits that a late heartbeat of a busy machine does not exceed: if the first is late, the interval
# is shorter, and if the second is, longer.
_SHORTEST, _LIMIT = 4.0, _INTERVAL + _SLOW / 2
# Calls, and seconds before each, until the client must have read that its session has ended.
_CALLS, _PAUSE = 40, 0.05
# Seconds for three heartbeats of a client that waits, on a busy machine.
_LONGEST = 75.0


@scenario("session.once", "session.counters", "headers.key", "headers.idempotency")
def first_calls(play: Play) -> None:
    """Two models and two sampling sessions."""
    training = play.training()
    second = play.model()
    play.sampler()
    play.run("save_weights_and_get_sampling_client", on=training, **{"as": "saved"})
    play.result(play.update(second))
    server = play.server
    sessions = server.exchanges("create_session")
    created = [item.operation for item in server.exchanges() if item.operation not in _BACKGROUND]
    play.check(
        "session.once",
        len(sessions) == 1 and created[0] == "create_session",
        expected="create_session first, and once",
        received=f"{len(sessions)} sessions; first requests: {', '.join(created[:3])}",
    )
    models = [item.body.get("model_seq_id") for item in server.exchanges("create_model")]
    samplings = [
        item.body.get("sampling_session_seq_id")
        for item in server.exchanges("create_sampling_session", "save_weights_for_sampler")
    ]
    play.check(
        "session.counters",
        models == [0, 1] and samplings == [0, 1],
        expected="model_seq_id 0, 1; sampling_session_seq_id 0, 1",
        received=f"model_seq_id {_listed(models)}; sampling_session_seq_id {_listed(samplings)}",
    )
    _check_headers(play, server.exchanges())


def _check_headers(play: Play, exchanges: list[Exchange]) -> None:
    keyless = [
        item.operation for item in exchanges if item.received.headers.get("x-api-key") != KEY
    ]
    play.check(
        "headers.key",
        not keyless,
        expected="X-API-Key in every request",
        received=f"missing in {', '.join(keyless) or 'none'}",
    )
    changing = [item for item in exchanges if item.operation in _CHANGING]
    keys = [item.received.headers.get("x-idempotency-key") for item in changing]
    without = [item.operation for item, key in zip(changing, keys, strict=True) if not key]
    repeated = len(keys) - len(without) - len(set(filter(None, keys)))
    play.check(
        "headers.idempotency",
        not without and not repeated,
        expected="an X-Idempotency-Key of its own in every request that changes something",
        received=f"missing in {', '.join(without) or 'none'}; {repeated} repeated",
    )


@scenario("heartbeats.interval")
def slow_heartbeats(play: Play) -> None:
    """Each heartbeat takes nine seconds; two are enough unless the machine was busy."""
    play.server.hooks["session_heartbeat"] = lambda received: Reply(
        200, {"type": "session_heartbeat"}, delay=_SLOW
    )
    play.training()
    intervals: list[float] = []

    def decided() -> bool:
        times = [item.arrived for item in play.server.exchanges("session_heartbeat")]
        intervals[:] = [after - before for before, after in itertools.pairwise(times)]
        return len(intervals) > 1 or any(not _LIMIT < gap < _INTERVAL + _SLOW for gap in intervals)

    play.wait_until(decided, _LONGEST)
    # The shortest counts, because a busy machine only adds to the others.
    shortest = min(intervals, default=float("inf"))
    play.check(
        "heartbeats.interval",
        _SHORTEST <= shortest < _LIMIT,
        expected=f"{_INTERVAL:.0f} s between heartbeats whose response takes {_SLOW:.0f} s",
        received=f"{shortest:.0f} s" if intervals else "no two heartbeats",
    )


@scenario("heartbeats.failure", "session.ended")
def ended_session(play: Play) -> None:
    """The first heartbeat fails; the response to the second is that the session has ended."""
    play.server.respond("session_heartbeat", Reply(500, {"detail": "restarting"}))
    play.server.respond_always("session_heartbeat", Reply(410, {"detail": "session has ended"}))
    training = play.training()

    def responses() -> int:
        beats = play.server.exchanges("session_heartbeat")
        return sum(item.responded is not None for item in beats)

    play.check(
        "heartbeats.failure",
        play.wait_until(lambda: responses() >= 2, _LONGEST),
        expected="a second heartbeat after status 500",
        received=f"{responses()} heartbeats",
    )
    # The client needs a moment to read the response to the heartbeat.
    outcome, requests = "every call succeeded", 0
    for _ in range(_CALLS):
        time.sleep(_PAUSE)
        requests = len(play.server.exchanges("optim_step"))
        try:
            play.result(play.update(training))
        except StepError as error:
            outcome = str(error)
            break
    after = len(play.server.exchanges("optim_step")) - requests
    failed = outcome != "every call succeeded"
    play.check(
        "session.ended",
        failed and after == 0,
        expected="an error, and no request",
        received=f"{outcome}; {after} requests for the failed call",
    )


@scenario("session.closed")
def closed_client(play: Play) -> None:
    """A call after close."""
    training = play.training()
    play.result(play.update(training))
    play.run("close")
    error = play.error(play.update(training))
    requests = len(play.server.exchanges("optim_step"))
    play.check(
        "session.closed",
        requests == 1,
        expected="an error, and no request after close",
        received=f"{error}; {requests - 1} requests",
    )


def _listed(numbers: list[object]) -> str:
    return ", ".join(map(str, numbers)) or "none"


# Requests that clients of several releases send to find out the server's.
_PROBES = frozenset({"get_client_config", "get_client_dynamic_config"})


@scenario("requests.shape")
def short_weights(play: Play) -> None:
    """A datum has three targets and two weights."""
    call = play.train(play.training(), [datum(), datum(weights=[1.0, 1.0])])
    _check_not_sent(play, "requests.shape", call)


@scenario("requests.finite")
def infinite_rate(play: Play) -> None:
    """A learning rate of NaN."""
    call = play.call("optim_step", on=play.training(), learning_rate="NaN")
    _check_not_sent(play, "requests.finite", call)


def _check_not_sent(play: Play, rule: str, call: Call) -> None:
    error, requests = play.error(call), len(play.server.exchanges(call.step))
    play.check(
        rule,
        requests == 0,
        expected="an error and no request",
        received=f"{error}; {requests} requests",
    )


@scenario("requests.valid", "requests.operations")
def every_operation(play: Play) -> None:
    """Train, save, load and sample; all requests are validated."""
    training = play.training()
    play.result(play.call("forward", on=training, data=[datum()], loss_fn="cross_entropy"))
    play.result(play.train(training))
    play.result(play.update(training))
    saved = play.run("save_state", on=training, name="state")
    play.run("load_state", on=training, path=saved["path"])
    weights = play.run("save_weights_for_sampler", on=training, name="weights")
    play.run("save_weights_and_get_sampling_client", on=training, **{"as": "unnamed"})
    play.result(play.sample("unnamed"))
    sampler = play.sampler(model_path=weights["path"])
    play.result(play.sample(sampler, num_samples=2))
    if find_spec("jsonschema_rs") is not None:  # The validator of the embedded backend.
        problems = _problems(play.protocol, play.server.exchanges())
        play.check(
            "requests.valid",
            not problems,
            expected=f"valid requests of {play.protocol}",
            received="; ".join(problems) or f"{len(play.server.exchanges())} valid requests",
        )
    else:
        play.skip("requests.valid", f"needs the extra: {install_hint('embedded')}")
    missing = {
        item.operation
        for item in play.server.exchanges()
        if not play.server.supports(item.received)
        and not (play.protocol == JSON_PROTOCOL and item.operation in _PROBES)
    }
    play.check(
        "requests.operations",
        not missing,
        expected=f"operations of {play.protocol}",
        received=", ".join(sorted(missing)) or "all known",
    )


def _problems(protocol: str, exchanges: Iterable[Exchange]) -> list[str]:
    """The problems of these requests, each once. Protobuf is decoded, not validated."""
    from tinker_ext.embedded.errors import RejectedRequestError
    from tinker_ext.embedded.protocols import BY_RELEASE, specification_of

    operations = specification_of(BY_RELEASE[protocol]).operations
    problems: dict[str, None] = {}
    for exchange in exchanges:
        operation = operations.get(exchange.operation)
        if operation is None or PROTOBUF in exchange.content_type or not operation.takes_body:
            continue
        try:
            operation.check(exchange.received.body)
        except RejectedRequestError as error:
            problems[f"{exchange.operation}: {error}"] = None
    return list(problems)
