"""Runs cells: one operation under one fault, each with its own server and client."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from attrs import evolve, frozen

import tinker_ext as tinker
from conformance.faultmatrix.cases import SHORT_TIMEOUT, FaultCase, cases_for
from conformance.faultmatrix.environment import Environment
from conformance.faultmatrix.outcomes import DEGRADED, RETRIED, VALUE, Degraded
from tinker_ext.testing import FaultServer, Reply, faults
from tinker_ext.transport import operations as api_operations

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from conformance.faultmatrix.operation import OperationUnderTest

#: Seconds of real time after which a call counts as hanging.
HANG_TIMEOUT = 60.0
#: Seconds for `client/config`: shorter than in production, and long enough for a busy machine,
#: where a response in time must not be missed.
CONFIG_TIMEOUT = 2.0
REQUEST_ID = "request-of-the-fault"
_RESPONSE_ERRORS = (tinker.APIStatusError, tinker.APIResponseValidationError)
_SUCCESSES = (VALUE, RETRIED, DEGRADED)
_COMPARABLE = (tinker.SampleResponse, tinker.ForwardBackwardOutput, tinker.TrainingRun, int, list)


@frozen
class CellResult:
    """The outcome of a cell, and descriptions of violated invariants."""

    outcome: str
    violations: tuple[str, ...] = ()


def run_cell(operation: OperationUnderTest, case: FaultCase) -> CellResult:
    """Run one cell with its own server and client."""
    with operation.server() as server:
        env = Environment(server, case.settings)
        try:
            return _run(env, operation, case)
        finally:
            env.service.close(timeout=0)


def _run(env: Environment, operation: OperationUnderTest, case: FaultCase) -> CellResult:
    server, simulated = env.server, env.time
    subject = operation.prepare(env)
    requests_before = env.request_count(operation.endpoint)
    _script(server, operation, case)
    if case.restarts_after is not None:
        simulated.on_sleep = lambda _: (
            server.listen() if len(simulated.slept) == case.restarts_after else None
        )
    counted_before = len(server.counted)
    outcome, value = _outcome(lambda: operation.run(subject))
    requests = env.request_count(operation.endpoint) - requests_before
    if outcome == VALUE and (requests > operation.max_requests or simulated.slept):
        outcome = RETRIED
    violations = [f"counted twice: {conflict}" for conflict in server.conflicts]
    if isinstance(value, _RESPONSE_ERRORS) and not value.request_id:
        violations.append(f"without a request id: {value}")
    counted = len(server.counted) - counted_before
    if outcome in _SUCCESSES and counted != _expected_counted(operation, case):
        violations.append(f"counted {counted} times")
    server.respond_by_default()
    server.listen()
    next_outcome, next_value = _outcome(lambda: operation.run(subject))
    if next_outcome not in (VALUE, DEGRADED):
        violations.append(f"next call: {next_outcome}")
    elif outcome in _SUCCESSES and not _equivalent(case, value, next_value):
        violations.append(f"unexpected value: {value!r}")
    return CellResult(outcome, tuple(violations))


def _expected_counted(operation: OperationUnderTest, case: FaultCase) -> int:
    """How many requests the server counts; a sample whose result is gone is submitted again."""
    resubmitted = (operation.name, case.name) == ("result of asample", "410")
    return operation.counted + resubmitted


def _equivalent(case: FaultCase, value: Any, reference: Any) -> bool:
    """Compare a value with that of a call without a fault.

    Only the types are compared if the fault alters the response.
    """
    if type(value) is not type(reference):
        return False
    altered = any(isinstance(reply, faults.Fault) and reply.alter for reply in case.replies)
    return altered or not isinstance(value, _COMPARABLE) or value == reference


def _script(server: FaultServer, operation: OperationUnderTest, case: FaultCase) -> None:
    server.respond(operation.endpoint, *[faults.Fault()] * operation.first_hit)
    if case.replies[0] is Reply:  # The default reply, delayed.
        delay = case.replies[1]
        server.respond(operation.endpoint, faults.delayed(delay))
    elif case.always:
        server.respond_always(operation.endpoint, _with_request_id(case.replies[0]))
    else:
        server.respond(operation.endpoint, *map(_with_request_id, case.replies))


def _with_request_id(reply: Reply | faults.Fault) -> Reply | faults.Fault:
    """Add a request id, which servers send with every response."""
    return evolve(reply, headers={**reply.headers, "x-request-id": REQUEST_ID})


def _outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    """Run a call in a thread, so that a hang is an outcome; return the outcome and the value."""
    outcomes: list[tuple[str, Any]] = []

    def run() -> None:
        try:
            value = call()
            degraded = isinstance(value, Degraded)
            outcomes.append((DEGRADED, value.value) if degraded else (VALUE, value))
        except tinker.TinkerError as error:
            outcomes.append((_public_class(error), error))
        except BaseException as error:
            outcomes.append((f"untyped {type(error).__name__}: {error}", error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(HANG_TIMEOUT)
    return outcomes[0] if outcomes else ("hangs", None)


def _public_class(error: tinker.TinkerError) -> str:
    return next(cls.__name__ for cls in type(error).__mro__ if hasattr(tinker, cls.__name__))


def _uses_real_time(operation: OperationUnderTest, case: FaultCase) -> bool:
    """Whether the cell waits for a real timeout or a heartbeat."""
    return "timeout" in case.settings or operation.endpoint == "session_heartbeat"


def run_operations(
    operations: Sequence[OperationUnderTest], workers: int, only: Container[str] | None = None
) -> dict[str, dict[str, CellResult]]:
    """Run the cells of operations in threads; return the unexpected results by operation.

    `only` selects cases by name. Cells that wait in real time have a thread pool of the same size,
    so that they don't delay the others. The timeouts of polls and of `client/config` are shortened
    for the cases without a response.
    """
    cells = [
        (operation, case)
        for operation in operations
        for case in cases_for(operation)
        if only is None or case.name in only
    ]
    with (
        patch.object(api_operations, "POLL_TIMEOUT", SHORT_TIMEOUT),
        patch.object(api_operations, "CONFIG_TIMEOUT", CONFIG_TIMEOUT),
        ThreadPoolExecutor(workers) as pool,
        ThreadPoolExecutor(workers) as real_time_pool,
    ):
        running = [
            (real_time_pool if _uses_real_time(*cell) else pool).submit(run_cell, *cell)
            for cell in cells
        ]
        results = [future.result() for future in running]
    unexpected: dict[str, dict[str, CellResult]] = {operation.name: {} for operation in operations}
    for (operation, case), result in zip(cells, results, strict=True):
        if result != CellResult(case.expected(operation)):
            unexpected[operation.name][case.name] = result
    return unexpected
