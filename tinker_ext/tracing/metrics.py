"""Metric instruments; they do nothing without an SDK.

They follow OpenTelemetry's conventions if there are any; `tinker.client.*` are specific to this
project. `docs/observability.md` lists their names and units.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from tinker_ext.tracing import names
from tinker_ext.tracing.names import Stage
from tinker_ext.version import __version__

_meter = metrics.get_meter("tinker_ext", __version__)

# Bucket bounds in seconds: those of the HTTP conventions, extended to the duration of a large step.
# Those for GenAI are those of its conventions.
_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]
_GEN_AI_SECONDS = [0.01 * 2**power for power in range(14)]
_TOKENS = [4**power for power in range(14)]


def _seconds(name: str, description: str, bounds: list[float] = _SECONDS) -> metrics.Histogram:
    return _meter.create_histogram(
        name, unit="s", description=description, explicit_bucket_boundaries_advisory=bounds
    )


_operation_duration = _seconds(
    "tinker.client.operation.duration", "Time from the user's call to the result."
)
_stage_duration = _seconds("tinker.client.stage.duration", "Duration of a stage of an operation.")
_queue_wait = _seconds(
    "tinker.client.queue.wait", "Time for which the server reported that a request is queued."
)
_pause_duration = _seconds("tinker.client.pause.duration", "Duration of pauses between attempts.")
_http_duration = _seconds("http.client.request.duration", "Duration of an HTTP request.")
_retries = _meter.create_counter(
    "tinker.client.retries", unit="{retry}", description="Attempts after the first."
)
_gen_ai_duration = _seconds(
    "gen_ai.client.operation.duration", "Duration of a sample request.", _GEN_AI_SECONDS
)
_gen_ai_tokens = _meter.create_histogram(
    "gen_ai.client.token.usage",
    unit="{token}",
    description="Tokens of a sample request.",
    explicit_bucket_boundaries_advisory=_TOKENS,
)

# Totals reported when the SDK collects metrics: an addition is cheaper than a measurement.
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
        """The session's id and the seconds since its last heartbeat; None if it is not alive."""


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
    description="Time since the server last responded to a session's heartbeat.",
)


def watch_heartbeat(session: HasHeartbeat) -> None:
    """Report the age of the session's last heartbeat until the session is garbage-collected."""
    _heartbeats.add(session)


def operation_ended(
    name: str, seconds: float, attributes: Mapping[str, Any], error: BaseException | None
) -> None:
    """Report an operation and the tokens it trained on or sampled."""
    failed = {} if error is None else {names.ERROR_TYPE: type(error).__name__}
    _operation_duration.record(seconds, {names.OPERATION: name, **failed})
    if name == "forward_backward" and error is None:
        _totals[names.TOKEN_USE, "trained"] += attributes.get(names.TOKEN_COUNT, 0)
    if names.GEN_AI_OPERATION in attributes:
        _sample_ended(seconds, attributes, failed)


def _sample_ended(seconds: float, attributes: Mapping[str, Any], failed: Mapping[str, str]) -> None:
    common = {
        name: attributes[name]
        for name in (names.GEN_AI_OPERATION, names.GEN_AI_PROVIDER, names.GEN_AI_MODEL)
        if name in attributes
    }
    _gen_ai_duration.record(seconds, {**common, **failed})
    for name, kind in (
        (names.GEN_AI_INPUT_TOKENS, "input"),
        (names.GEN_AI_OUTPUT_TOKENS, "output"),
    ):
        if name in attributes:
            _gen_ai_tokens.record(attributes[name], {**common, names.GEN_AI_TOKEN_TYPE: kind})
    _totals[names.TOKEN_USE, "sampled"] += attributes.get(names.GEN_AI_OUTPUT_TOKENS, 0)


def stage_ended(operation: str, stage: Stage, seconds: float) -> None:
    _stage_duration.record(seconds, {names.OPERATION: operation, names.STAGE: stage.value})
    if stage is Stage.PAUSE:
        _pause_duration.record(seconds, {names.OPERATION: operation})


def queued(operation: str, seconds: float) -> None:
    """Report the time a request was queued on the server for capacity or a limit."""
    _queue_wait.record(seconds, {names.OPERATION: operation})


def retried(operation: str, cause: str) -> None:
    _retries.add(1, {names.OPERATION: operation, names.ERROR_TYPE: cause})


def in_flight(method: str, change: int) -> None:
    _totals[names.HTTP_METHOD, method] += change


def request_ended(seconds: float, sent: int, received: int, attributes: Mapping[str, Any]) -> None:
    """Report an HTTP request; `attributes` are those of the HTTP conventions."""
    _http_duration.record(seconds, attributes)
    _totals[names.IO_DIRECTION, "transmit"] += sent
    _totals[names.IO_DIRECTION, "receive"] += received
