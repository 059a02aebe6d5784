"""The cells: one operation under one fault, on a server and a client of their own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from attrs import evolve, frozen

import tinker_ext as tinker
from faultmatrix.cases import SHORT_TIMEOUT, Case, columns
from faultmatrix.outcomes import AGAIN, VALUE, WITHOUT, Without
from faultmatrix.scene import Scene
from tinker_ext.testing import FaultServer, Reply, faults
from tinker_ext.transport.operations import sampling as polls
from tinker_ext.transport.operations import service as start

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from faultmatrix.operation import Operation

#: Seconds of real time after which a cell counts as hanging.
HANGS = 60.0
#: Seconds for the question what a server speaks: less than in earnest, and enough for a busy
#: machine, where an answer in time must not be missed.
CONFIG_TIMEOUT = 2.0
REQUEST_ID = "request-of-the-fault"
_OF_AN_ANSWER = (tinker.APIStatusError, tinker.APIResponseValidationError)
_COMPARED = (tinker.SampleResponse, tinker.ForwardBackwardOutput, tinker.TrainingRun, int, list)


@frozen
class Seen:
    """What came of a cell: its outcome, and what must never be, in words."""

    outcome: str
    wrong: tuple[str, ...] = ()


def run_cell(operation: Operation, case: Case) -> Seen:
    """Run one cell against a server and a client of its own."""
    with operation.server() as server:
        scene = Scene(server, case.settings)
        try:
            return _run(scene, operation, case)
        finally:
            scene.service.close(timeout=0)


def _run(scene: Scene, operation: Operation, case: Case) -> Seen:
    server, simulated = scene.server, scene.time
    subject = operation.prepare(scene)
    before = scene.requests(operation.endpoint)
    _script(server, operation, case)
    if case.comes_back is not None:
        simulated.on_sleep = lambda _: (
            server.listen() if len(simulated.slept) == case.comes_back else None
        )
    counted = len(server.counted)
    outcome, value = _outcome(lambda: operation.run(subject))
    sent = scene.requests(operation.endpoint) - before
    if outcome == VALUE and (sent > operation.sends or simulated.slept):
        outcome = AGAIN
    wrong = [f"counted twice: {conflict}" for conflict in server.conflicts]
    if isinstance(value, _OF_AN_ANSWER) and not value.request_id:
        wrong.append(f"without a request id: {value}")
    grown = len(server.counted) - counted
    if outcome in (VALUE, AGAIN, WITHOUT) and grown != _times(operation, case):
        wrong.append(f"counted {grown} times")
    server.respond_by_default()
    server.listen()
    after, next_value = _outcome(lambda: operation.run(subject))
    if after not in (VALUE, WITHOUT):
        wrong.append(f"the next one: {after}")
    elif outcome in (VALUE, AGAIN, WITHOUT) and not _alike(case, value, next_value):
        wrong.append(f"another value: {value!r}")
    return Seen(outcome, tuple(wrong))


def _times(operation: Operation, case: Case) -> int:
    """How many requests the server has taken in: a sample whose result is gone is made anew."""
    gone = (operation.name, case.name) == ("result of asample", "410")
    return operation.counts + gone


def _alike(case: Case, value: Any, default_reply: Any) -> bool:
    """Whether a value is that of an answer without a fault, as far as the fault leaves it alone."""
    if type(value) is not type(default_reply):
        return False
    plain = isinstance(value, _COMPARED) and not any(
        isinstance(response, faults.Fault) and response.alter for response in case.answers
    )
    return not plain or value == default_reply


def _script(server: FaultServer, operation: Operation, case: Case) -> None:
    server.respond(operation.endpoint, *[faults.Fault()] * operation.hit)
    if case.answers[0] is Reply:  # The usual answer, later.
        delay = case.answers[1]
        server.respond(operation.endpoint, faults.delayed(delay))
    elif case.always:
        server.respond_always(operation.endpoint, _named(case.answers[0]))
    else:
        server.respond(operation.endpoint, *map(_named, case.answers))


def _named(answer: Reply | faults.Fault) -> Reply | faults.Fault:
    """An answer under a request id, as servers give one to each."""
    return evolve(answer, headers={**answer.headers, "x-request-id": REQUEST_ID})


def _outcome(run: Callable[[], Any]) -> tuple[str, Any]:
    """What comes of a call; in a thread, so that a hang is an outcome too."""
    came: list[tuple[str, Any]] = []

    def work() -> None:
        try:
            value = run()
            without = isinstance(value, Without)
            came.append((WITHOUT, value.value) if without else (VALUE, value))
        except tinker.TinkerError as error:
            came.append((_name(error), error))
        except BaseException as error:
            came.append((f"untyped {type(error).__name__}: {error}", error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(HANGS)
    return came[0] if came else ("hangs", None)


def _name(error: tinker.TinkerError) -> str:
    """The public class."""
    return next(kind.__name__ for kind in type(error).__mro__ if hasattr(tinker, kind.__name__))


def _waits(operation: Operation, case: Case) -> bool:
    """Whether real time has to pass: until an answer is overdue, or another heartbeat is."""
    return "timeout" in case.settings or operation.endpoint == "session_heartbeat"


def run_rows(
    operations: Sequence[Operation], workers: int, only: Container[str] | None = None
) -> dict[str, dict[str, Seen]]:
    """Run all cells of operations, some at a time; by row, what differs from what is to come.

    With `only` those of some cases. The cells that wait for real time to pass have as many threads
    of their own, so that the others run meanwhile. The seconds that a poll and a question at the
    start may take are cut short, for the cases about silence.
    """
    cells = [
        (operation, case)
        for operation in operations
        for case in columns(operation)
        if only is None or case.name in only
    ]
    with (
        patch.object(polls, "POLL_TIMEOUT", SHORT_TIMEOUT),
        patch.object(start, "CONFIG_TIMEOUT", CONFIG_TIMEOUT),
        ThreadPoolExecutor(workers) as pool,
        ThreadPoolExecutor(workers) as waiting,
    ):
        running = [(waiting if _waits(*cell) else pool).submit(run_cell, *cell) for cell in cells]
        seen = [item.result() for item in running]
    different: dict[str, dict[str, Seen]] = {operation.name: {} for operation in operations}
    for (operation, case), one in zip(cells, seen, strict=True):
        if one != Seen(case.expected(operation)):
            different[operation.name][case.name] = one
    return different
