"""Whether requests are sent while a server is down: a circuit breaker.

Attempts that find no working server are counted until one succeeds. At the limit the circuit opens:
new requests fail at once, without an attempt. After the cooldown one request is sent as a probe. If
it succeeds, the circuit closes; otherwise another probe follows after another cooldown, which also
holds if the probe never ends.

An attempt fails in this sense if no response arrives, for a reason that may pass, or if a proxy or
the server responds with 502, 503, 504 or Cloudflare's 520 to 524 without a delay for the retry. Any
other response shows that the server works. A full pool of connections says nothing about it.
"""

from __future__ import annotations

from attrs import evolve, frozen

from tinker_ext.rules.retry import (
    PERMANENT_FAULTS,
    PROXY_STATUSES,
    Failure,
    TransportFault,
    retry_after_seconds,
)


@frozen
class Circuit:
    """The state of a circuit.

    Attributes:
        failed: attempts that have failed since the last success.
        opened: the time at which the circuit opened or the latest probe was sent, in seconds of any
            clock; None if the circuit is closed.
    """

    failed: int = 0
    opened: float | None = None


def admit(circuit: Circuit, now: float, cooldown: float) -> tuple[Circuit, float]:
    """Decides whether a request may be sent.

    Returns the state after the decision, and the seconds until a request may be sent: 0 if this one
    may.
    """
    if circuit.opened is None:
        return circuit, 0.0
    left = circuit.opened + cooldown - now
    if left > 0:
        return circuit, left
    return evolve(circuit, opened=now), 0.0


def record(circuit: Circuit, failed: bool, now: float, limit: int) -> Circuit:
    """Returns the state after an attempt; at `limit` failures in a row, the circuit opens."""
    if not failed:
        return Circuit()
    count = circuit.failed + 1
    opens = circuit.opened is None and count >= limit
    return Circuit(count, now if opens else circuit.opened)


def is_outage(failure: Failure, now: float) -> bool | None:
    """Whether a failed attempt shows that the server is down; None if it shows neither."""
    if failure.status is not None:
        delay = failure.retry_after
        if delay is None:
            delay = retry_after_seconds(failure.headers, now)
        return failure.status in PROXY_STATUSES and delay is None
    if failure.fault is None or failure.fault is TransportFault.POOL:
        return None
    return failure.fault not in PERMANENT_FAULTS
