"""Runs steps in order on one server, each with a time limit, and classifies their outcomes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from attrs import field, mutable

import tinker_ext as tinker
from conformance.interop.outcomes import Ending, Outcome
from conformance.interop.session import KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.interop.servers import Running

# Seconds after which a step counts as hanging. During the first step a server may still import its
# engine, and it may compile during others, which takes a busy machine a minute or more.
STEP_SECONDS = 240.0
# Seconds during which a failing call is retried. The client's default is 300.
RETRY_WINDOW = 10.0


class ServerError(Exception):
    """The server reported success, and its response shows otherwise."""


class AcceptedError(Exception):
    """The server accepted a deliberate mistake."""


@mutable
class State:
    """The results that steps share; a step that reads a missing one is left out."""

    server: Running
    service: tinker.ServiceClient
    results: dict[str, Any] = field(factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.results[name]
        except KeyError:
            raise MissingError(name) from None


class MissingError(Exception):
    """An earlier step did not set this attribute."""


class Steps:
    """An ordered list of steps: functions of the state that return a remark."""

    def __init__(self) -> None:
        self._functions: list[Callable[[State], str | None]] = []

    def __call__(self, function: Callable[[State], str | None]) -> Callable[[State], str | None]:
        """Decorator: add the function as a step, under its own name."""
        self._functions.append(function)
        return function

    def __add__(self, other: Steps) -> Steps:
        both = Steps()
        both._functions = [*self._functions, *other._functions]
        return both

    @property
    def names(self) -> list[str]:
        """The names of the steps, in order."""
        return [function.__name__ for function in self._functions]

    def run(self, server: Running, report: Callable[[Outcome], None]) -> list[Outcome]:
        """Run all steps with one client, including the steps after one that fails."""
        outcomes = []
        with client(server) as service:
            state = State(server, service)
            for function in self._functions:
                outcomes.append(_run(function, state))
                report(outcomes[-1])
        return outcomes


def client(server: Running, **changes: Any) -> tinker.ServiceClient:
    """Create a client from the URL and the key, with no knowledge of the server."""
    settings: dict[str, Any] = {
        "base_url": server.url,
        "api_key": KEY,
        "retry_window": RETRY_WINDOW,
        **changes,
    }
    return tinker.ServiceClient(**settings)


def _run(function: Callable[[State], str | None], state: State) -> Outcome:
    endings: list[tuple[Ending, str]] = []
    started = time.monotonic()
    thread = threading.Thread(target=lambda: endings.append(_ending(function, state)), daemon=True)
    thread.start()
    thread.join(STEP_SECONDS)
    ending, detail = endings[0] if endings else (Ending.HUNG, f"no end after {STEP_SECONDS:g} s")
    return Outcome(function.__name__, ending, detail, time.monotonic() - started)


def _ending(function: Callable[[State], str | None], state: State) -> tuple[Ending, str]:
    try:
        return Ending.OK, function(state) or ""
    except MissingError as missing:
        return Ending.LEFT_OUT, f"there is no {missing}"
    except AcceptedError as accepted:
        return Ending.ACCEPTED, str(accepted)
    except ServerError as error:
        return Ending.SERVER_WRONG, str(error)
    except tinker.TinkerError as error:
        return Ending.TYPED_ERROR, described(error)
    except Exception as error:
        return Ending.WRONG, f"{type(error).__name__}: {error}"


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
