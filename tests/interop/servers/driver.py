"""Steps run in order against one server, each with an end in time, and how each ended."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from attrs import field, mutable
from interop.outcomes import Ending, Outcome
from interop.session import KEY

import tinker_ext as tinker

if TYPE_CHECKING:
    from collections.abc import Callable

    from interop.servers import Running

# Seconds that a step may take; what takes longer hangs. A server may still be importing its engine
# in the first, and compile in others, which a busy machine does in a minute or more.
STEP_SECONDS = 240.0
# Seconds that one call may go on failing. The client's own limit is 300.
RETRY_WINDOW = 10.0


class ServerError(Exception):
    """The server's answer is none of what it says."""


class AcceptedError(Exception):
    """What was meant as a mistake was taken."""


@mutable
class State:
    """What steps leave for those after them; a missing attribute leaves a step out."""

    server: Running
    service: tinker.ServiceClient
    made: dict[str, Any] = field(factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.made[name]
        except KeyError:
            raise MissingError(name) from None


class MissingError(Exception):
    """An earlier step did not leave this."""


class Steps:
    """Functions of the state in their order; what one returns is its remark."""

    def __init__(self) -> None:
        self._functions: list[Callable[[State], str | None]] = []

    def __call__(self, function: Callable[[State], str | None]) -> Callable[[State], str | None]:
        """Decorator: the function is a step; its name tells what it does."""
        self._functions.append(function)
        return function

    def __add__(self, other: Steps) -> Steps:
        both = Steps()
        both._functions = [*self._functions, *other._functions]
        return both

    @property
    def names(self) -> list[str]:
        """What they are called, in their order."""
        return [function.__name__ for function in self._functions]

    def run(self, server: Running, report: Callable[[Outcome], None]) -> list[Outcome]:
        """Run them all with one client; a step that fails keeps none of the next from a try."""
        outcomes = []
        with client(server) as service:
            state = State(server, service)
            for function in self._functions:
                outcomes.append(_run(function, state))
                report(outcomes[-1])
        return outcomes


def client(server: Running, **changes: Any) -> tinker.ServiceClient:
    """Our client, told no more than anybody is: the URL and the key."""
    settings: dict[str, Any] = {
        "base_url": server.url,
        "api_key": KEY,
        "retry_window": RETRY_WINDOW,
        **changes,
    }
    return tinker.ServiceClient(**settings)


def _run(function: Callable[[State], str | None], state: State) -> Outcome:
    found: list[tuple[Ending, str]] = []
    began = time.monotonic()
    thread = threading.Thread(target=lambda: found.append(_ending(function, state)), daemon=True)
    thread.start()
    thread.join(STEP_SECONDS)
    ending, words = found[0] if found else (Ending.HUNG, f"no end after {STEP_SECONDS:g} s")
    return Outcome(function.__name__, ending, words, time.monotonic() - began)


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
    """The error's class and what it says, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def refused(what: Callable[[], Any]) -> str:
    """Do what must not work; the error in words.

    Raises:
        AcceptedError: it worked.
    """
    try:
        value = what()
    except tinker.TinkerError as error:
        return described(error)
    raise AcceptedError(f"the server took it: {str(value)[:80]}")
