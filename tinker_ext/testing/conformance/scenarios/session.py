"""Sessions, heartbeats, and the end of both."""

from __future__ import annotations

import itertools
import time

from tinker_ext.testing.conformance.play import KEY, Play, scenario
from tinker_ext.testing.conformance.process import StepError
from tinker_ext.testing.conformance.server import Exchange
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
