"""The circuit breaker shared by all clients with the same base URL and key."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Hashable

from tinker_ext.errors import CircuitOpenError
from tinker_ext.rules.circuit import Circuit, admit, is_outage, record
from tinker_ext.rules.retry import Failure
from tinker_ext.timeouts import REAL_CLOCK, Clock
from tinker_ext.tracing import log


class _SharedCircuit:
    """The circuit of a base URL and key; on the event loop only."""

    def __init__(self) -> None:
        self.state = Circuit()
        self.last_failure = ""


class CircuitBreaker:
    """Applies `rules.circuit` to the requests of one client.

    Args:
        key: clients with the same key share a circuit.
        limit: failed attempts in a row at which the circuit opens.
        cooldown: seconds from an open circuit to a probe.
        clock: the source of time.
    """

    def __init__(
        self, key: Hashable, limit: int, cooldown: float, clock: Clock = REAL_CLOCK
    ) -> None:
        self._shared = _shared_circuit((key, clock))
        self._limit = limit
        self._cooldown = cooldown
        self._clock = clock

    def check(self, operation: str) -> None:
        """Admit a request, or raise CircuitOpenError."""
        shared = self._shared
        shared.state, left = admit(shared.state, self._clock.now(), self._cooldown)
        if left > 0:
            raise CircuitOpenError(
                f"not sent: {shared.state.failed} attempts in a row have failed, the last with: "
                f"{shared.last_failure}",
                retry_after=left,
                operation=operation,
            )

    def succeeded(self) -> None:
        """Record an attempt with a response of a working server."""
        self._record(False)

    def failed(self, failure: Failure, message: str) -> None:
        """Record a failed attempt."""
        outage = is_outage(failure, self._clock.wall())
        if outage is not None:
            self._shared.last_failure = message
            self._record(outage)

    def _record(self, failed: bool) -> None:
        shared = self._shared
        before = shared.state
        shared.state = record(before, failed, self._clock.now(), self._limit)
        if before.opened is None and shared.state.opened is not None:
            log.warning(
                "%d attempts in a row have failed, the last with: %s; requests fail at once, and "
                "one is tried every %g s",
                shared.state.failed,
                shared.last_failure,
                self._cooldown,
            )
        elif before.opened is not None and shared.state.opened is None:
            log.warning("the server responds again; requests are sent as usual")


_lock = threading.Lock()
_circuits: weakref.WeakValueDictionary[Hashable, _SharedCircuit] = weakref.WeakValueDictionary()


def _shared_circuit(key: Hashable) -> _SharedCircuit:
    with _lock:
        circuit = _circuits.get(key)
        if circuit is None:
            circuit = _circuits[key] = _SharedCircuit()
        return circuit
