"""Runs the steps in order on one server, each with a time limit, and classifies their outcomes.

A step checks one capability of a server. The summary says which capabilities work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeAlias

from attrs import field, frozen, mutable

import tinker_ext as tinker

#: The reason of a step whose operation the server does not have.
NO_SUCH_OPERATION = "no such operation"


class Capability(StrEnum):
    """What a step checks, in the order of the report."""

    CONNECTS = "connects"
    TRAINS = "trains"
    SAMPLES = "samples"
    RESUMES = "saves and resumes"
    LISTS = "lists"
    PUBLISHES = "publishes and deletes"
    MISTAKES = "rejects mistakes"


class Ending(StrEnum):
    """The kind of outcome."""

    OK = "ok"
    #: The server accepted a deliberate mistake.
    ACCEPTED = "accepted"
    #: One of this package's errors.
    TYPED_ERROR = "typed error"
    #: The server reported success without doing the work, or with a response that does not fit.
    SERVER_WRONG = "server wrong"
    #: Any other exception, or an impossible value.
    WRONG = "wrong"
    HUNG = "hung"
    #: An error of an official client; its cause is not investigated.
    FAILED = "failed"
    #: Depends on a result of an earlier step that failed.
    LEFT_OUT = "left out"

    @property
    def good(self) -> bool:
        """Whether this client behaved correctly, whatever the server did."""
        return self not in (Ending.WRONG, Ending.HUNG)


@frozen
class Outcome:
    """The ending of one step, an error message or remark, and the duration in seconds.

    `reason` says in a few words why a step is not ok: `NO_SUCH_OPERATION`, "HTTP 500".
    """

    name: str
    ending: Ending
    detail: str
    seconds: float
    reason: str = ""

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")


#: Endings of a step that works. A server may accept what this client considers a mistake.
_WORKING = (Ending.OK, Ending.ACCEPTED)


def grade(outcomes: Iterable[Outcome]) -> str:
    """Returns "yes" if all of the steps work, "no" if none does, else the numbers: "3 of 5"."""
    working = [outcome.ending in _WORKING for outcome in outcomes]
    if all(working):
        return "yes" if working else "-"
    return f"{sum(working)} of {len(working)}" if any(working) else "no"


def by_capability(
    outcomes: Iterable[Outcome], capabilities: Mapping[str, Capability]
) -> dict[Capability, list[Outcome]]:
    """The outcomes of each capability, in the order of the steps."""
    groups: dict[Capability, list[Outcome]] = {capability: [] for capability in Capability}
    for outcome in outcomes:
        groups[capabilities[outcome.name]].append(outcome)
    return groups


def problems(outcomes: Sequence[Outcome]) -> str:
    """The steps that do not work, by reason: "no such operation: publish, unpublish; ...".

    Steps that depend on one of them are omitted.
    """
    by_reason: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.ending not in (*_WORKING, Ending.LEFT_OUT):
            by_reason.setdefault(outcome.reason, []).append(outcome.title)
    return "; ".join(f"{reason}: {', '.join(names)}" for reason, names in by_reason.items())


def is_compatible(outcomes: Iterable[Outcome]) -> bool:
    """Returns True if every step works, is left out, or is an operation that the server lacks."""
    return all(
        outcome.ending in (*_WORKING, Ending.LEFT_OUT) or outcome.reason == NO_SUCH_OPERATION
        for outcome in outcomes
    )


def missing_operations(outcomes: Iterable[Outcome]) -> list[str]:
    """The steps whose operation the server does not have."""
    return [outcome.title for outcome in outcomes if outcome.reason == NO_SUCH_OPERATION]


#: Seconds after which a step counts as hanging. During the first step a server may still import its
#: engine, and it may compile during others, which takes a busy machine a minute or more.
STEP_TIMEOUT = 240.0
#: Seconds during which a failing call is retried. The client's default is 300.
RETRY_WINDOW = 10.0
#: Characters of an error message in a reason.
_MAX_REASON = 60


@frozen
class CheckedServer:
    """A server, by the settings of a client that connects to it, and the base model to train."""

    model: str
    settings: Mapping[str, Any]

    def client(self, **changes: Any) -> tinker.ServiceClient:
        """Create a client from these settings, with no other knowledge of the server."""
        return tinker.ServiceClient(**{"retry_window": RETRY_WINDOW, **self.settings, **changes})


class ServerError(Exception):
    """The server reported success, and its response shows otherwise."""


class AcceptedError(Exception):
    """The server accepted a deliberate mistake."""


@mutable
class State:
    """The results that steps share; a step that reads a missing one is left out."""

    server: CheckedServer
    service: tinker.ServiceClient
    results: dict[str, Any] = field(factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.results[name]
        except KeyError:
            raise MissingError(name) from None


class MissingError(Exception):
    """An earlier step did not set this attribute."""


Function: TypeAlias = "Callable[[State], str | None]"


@frozen
class Step:
    """A function of the state that returns a remark, and the capability that it checks."""

    function: Function
    capability: Capability

    @property
    def name(self) -> str:
        return self.function.__name__


class Steps:
    """An ordered list of steps."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def __call__(self, capability: Capability) -> Callable[[Function], Function]:
        """Decorator: add the function as a step, under its own name."""

        def add(function: Function) -> Function:
            self._steps.append(Step(function, capability))
            return function

        return add

    def __add__(self, other: Steps) -> Steps:
        both = Steps()
        both._steps = [*self._steps, *other._steps]
        return both

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def names(self) -> list[str]:
        """The names of the steps, in order."""
        return [step.name for step in self._steps]

    @property
    def capabilities(self) -> dict[str, Capability]:
        """The capability that each step checks, by its name."""
        return {step.name: step.capability for step in self._steps}

    def run(
        self,
        server: CheckedServer,
        report: Callable[[Outcome], None],
        *,
        timeout: float = STEP_TIMEOUT,
    ) -> list[Outcome]:
        """Run all steps with one client, including the steps after one that fails.

        A step that takes longer than `timeout` seconds is abandoned; the next ones still run.
        """
        outcomes = []
        with server.client() as service:
            state = State(server, service)
            for step in self._steps:
                outcomes.append(_run(step, state, timeout))
                report(outcomes[-1])
        return outcomes


def _run(step: Step, state: State, timeout: float) -> Outcome:
    results: list[tuple[Ending, str, str]] = []
    started = time.monotonic()
    thread = threading.Thread(target=lambda: results.append(_result(step, state)), daemon=True)
    thread.start()
    thread.join(timeout)
    hung = (Ending.HUNG, f"no end after {timeout:g} s", f"no end after {timeout:g} s")
    ending, detail, reason = results[0] if results else hung
    return Outcome(step.name, ending, detail, time.monotonic() - started, reason)


def _result(step: Step, state: State) -> tuple[Ending, str, str]:
    """The ending of a step, a remark or an error message, and the reason of a failure."""
    try:
        return Ending.OK, step.function(state) or "", ""
    except MissingError as missing:
        return Ending.LEFT_OUT, f"there is no {missing}", ""
    except AcceptedError as accepted:
        return Ending.ACCEPTED, str(accepted), "accepted"
    except ServerError as error:
        return Ending.SERVER_WRONG, str(error), str(error)
    except tinker.APIResponseValidationError as error:
        return Ending.SERVER_WRONG, described(error), "the response does not fit the request"
    except tinker.TinkerError as error:
        return Ending.TYPED_ERROR, described(error), reason_of(error)
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        return Ending.WRONG, message, _shortened(message)


def results_of(futures: Iterable[tinker.APIFuture[Any]]) -> list[Any]:
    """Wait for all futures, and return their results.

    A server that rejects one request may reject those that follow it. All exceptions are retrieved,
    so that they are not logged, and the first one is raised.
    """
    futures = list(futures)
    for error in [future.exception() for future in futures]:
        if error is not None:
            raise error
    return [future.result() for future in futures]


def reason_of(error: tinker.TinkerError) -> str:
    """Why a step failed, in a few words."""
    if getattr(error, "unsupported", False):
        return NO_SUCH_OPERATION
    if isinstance(error, tinker.APITimeoutError):
        return "no response in time"
    if isinstance(error, tinker.APIStatusError):
        return f"HTTP {error.status_code}"
    return _shortened(f"{type(error).__name__}: {error.message}")


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}..."


def described(error: tinker.TinkerError) -> str:
    """The class and the message of the error, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def refused(attempt: Callable[[], Any]) -> str:
    """Make a deliberate mistake and return the description of the error.

    Raises:
        AcceptedError: there was no error.
    """
    try:
        value = attempt()
    except tinker.TinkerError as error:
        return described(error)
    raise AcceptedError(f"the server took it: {str(value)[:80]}")
