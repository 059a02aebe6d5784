"""Instruments, by OpenTelemetry's conventions where there are any; without an SDK they do nothing.

The names and units are those of the table in `docs/observability.md`. `tinker.client.*` is ours.
"""

from __future__ import annotations

import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from tinker_ext.tracing import names
from tinker_ext.tracing.names import Stage
from tinker_ext.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_meter = metrics.get_meter("tinker_ext", __version__)

# Bounds in seconds: the conventions' for HTTP, carried on to the length of a large step. Those for
# GenAI are the conventions' own.
_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
_GEN_AI_SECONDS = [0.01 * 2**power for power in range(14)]
_TOKENS = [4**power for power in range(14)]


def _seconds(name: str, description: str, bounds: list[float] = _SECONDS) -> metrics.Histogram:
    return _meter.create_histogram(
        name, unit="s", description=description, explicit_bucket_boundaries_advisory=bounds
    )


_operation_duration = _seconds(
    "tinker.client.operation.duration", "From the user's call to the result."
)
_stage_duration = _seconds("tinker.client.stage.duration", "One stage of an operation.")
_queue_wait = _seconds(
    "tinker.client.queue.wait", "How long the server said that a request has to wait."
)
_pause_duration = _seconds("tinker.client.pause.duration", "Pauses between attempts.")
_http_duration = _seconds("http.client.request.duration", "One HTTP request.")
_retries = _meter.create_counter(
    "tinker.client.retries", unit="{retry}", description="Attempts after the first."
)
_gen_ai_duration = _seconds(
    "gen_ai.client.operation.duration", "One sample request.", _GEN_AI_SECONDS
)
_gen_ai_tokens = _meter.create_histogram(
    "gen_ai.client.token.usage",
    unit="{token}",
    description="Tokens of one sample request.",
    explicit_bucket_boundaries_advisory=_TOKENS,
)

# Sums are kept here and handed over when the SDK asks: that costs an addition, not a measurement.
_totals: Counter[tuple[str, str]] = Counter()


def _observed(attribute: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        for (name, value), total in list(_totals.items()):
            if name == attribute:
                yield Observation(total, {attribute: value})

    return observe


_meter.create_observable_up_down_counter(
    "http.client.active_requests",
    callbacks=[_observed(names.HTTP_METHOD)],
    unit="{request}",
    description="HTTP requests in flight.",
)
_meter.create_observable_counter(
    "tinker.client.io",
    callbacks=[_observed(names.IO_DIRECTION)],
    unit="By",
    description="Bytes of HTTP bodies.",
)
_meter.create_observable_counter(
    "tinker.client.tokens",
    callbacks=[_observed(names.TOKEN_USE)],
    unit="{token}",
    description="Tokens trained on, and tokens sampled.",
)


class HasHeartbeat(Protocol):
    """A session with a heartbeat."""

    def heartbeat_age(self) -> tuple[str, float] | None:
        """Its id, and the seconds since the server last answered; None where it is not alive."""


_heartbeats: weakref.WeakSet[HasHeartbeat] = weakref.WeakSet()


def _heartbeat_ages(_: CallbackOptions) -> Iterable[Observation]:
    for session in list(_heartbeats):
        age = session.heartbeat_age()
        if age is not None:
            yield Observation(age[1], {names.SESSION_ID: age[0]})


_meter.create_observable_gauge(
    "tinker.client.heartbeat.age",
    callbacks=[_heartbeat_ages],
    unit="s",
    description="Since the server last answered a session's heartbeat.",
)


def watch_heartbeat(session: HasHeartbeat) -> None:
    """Report how old the session's last heartbeat is, for as long as the session exists."""
    _heartbeats.add(session)


def enabled() -> bool:
    """Whether the program has a meter provider; without one no value needs to be computed."""
    return not type(metrics.get_meter_provider()).__module__.startswith("opentelemetry.metrics")


def operation_ended(
    name: str, seconds: float, known: Mapping[str, Any], error: BaseException | None
) -> None:
    """Report one operation, and what it trained or sampled."""
    failed = {} if error is None else {names.ERROR_TYPE: type(error).__name__}
    _operation_duration.record(seconds, {names.OPERATION: name, **failed})
    if name == "forward_backward" and error is None:
        _totals[names.TOKEN_USE, "trained"] += known.get(names.TOKEN_COUNT, 0)
    if names.GEN_AI_OPERATION in known:
        _sample_ended(seconds, known, failed)


def _sample_ended(seconds: float, known: Mapping[str, Any], failed: Mapping[str, str]) -> None:
    common = {
        name: known[name]
        for name in (names.GEN_AI_OPERATION, names.GEN_AI_PROVIDER, names.GEN_AI_MODEL)
        if name in known
    }
    _gen_ai_duration.record(seconds, {**common, **failed})
    for name, kind in (
        (names.GEN_AI_INPUT_TOKENS, "input"),
        (names.GEN_AI_OUTPUT_TOKENS, "output"),
    ):
        if name in known:
            _gen_ai_tokens.record(known[name], {**common, names.GEN_AI_TOKEN_TYPE: kind})
    _totals[names.TOKEN_USE, "sampled"] += known.get(names.GEN_AI_OUTPUT_TOKENS, 0)


def stage_ended(operation: str, stage: Stage, seconds: float) -> None:
    _stage_duration.record(seconds, {names.OPERATION: operation, names.STAGE: stage.value})
    if stage is Stage.PAUSE:
        _pause_duration.record(seconds, {names.OPERATION: operation})


def queued(operation: str, seconds: float) -> None:
    """Seconds for which the server said that a request had to wait for capacity or a limit."""
    _queue_wait.record(seconds, {names.OPERATION: operation})


def retried(operation: str, cause: str) -> None:
    _retries.add(1, {names.OPERATION: operation, names.ERROR_TYPE: cause})


def in_flight(method: str, change: int) -> None:
    _totals[names.HTTP_METHOD, method] += change


def request_ended(seconds: float, sent: int, received: int, attributes: Mapping[str, Any]) -> None:
    """Report one HTTP request; `attributes` are those of the HTTP conventions."""
    _http_duration.record(seconds, attributes)
    _totals[names.IO_DIRECTION, "transmit"] += sent
    _totals[names.IO_DIRECTION, "receive"] += received
