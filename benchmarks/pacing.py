"""Simulate many clients against a server that limits its rate: do they share it without collapse?

    python benchmarks/pacing.py [--clients 1000] [--in-flight 4] [--requests 60]

Every client is a process of its own, so that each has its own shared pause
(`runtime.retry.pause`), and decides with the rules of production (`rules.retry`). Time is
simulated. The server admits a fixed number of requests per second. It rejects others with 429,
which costs it a tenth of a request: a server that only rejects completes nothing. The ideal time is
that of the same server and clients that never send too early.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import selectors
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field, frozen
from rich.console import Console
from rich.table import Table

from tinker_ext.rules.retry import Failure, RetryPolicy, decide
from tinker_ext.runtime.concurrency.clock import Clock
from tinker_ext.runtime.retry.pause import Pause

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

#: Requests per second that the server admits, and seconds until an admitted one is completed.
CAPACITY = 1000.0
SERVICE = 0.2
#: The share of the capacity that a rejected request uses.
REJECTION_COST = 0.1
#: Seconds of requests that may be admitted at once after an idle time.
BURST = 1.0
POLICY = RetryPolicy(max_elapsed=3600.0)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time advances to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self.now = 0.0
        loop = self

        class Selector(selectors.DefaultSelector):
            def select(self, timeout: float | None = None) -> Any:
                loop.now += max(0.0, timeout or 0.0)
                return super().select(0)

        super().__init__(Selector())

    def time(self) -> float:
        return self.now


@frozen
class Limit:
    """The time after which the server lets rejected clients come back.

    Attributes:
        retry_after: the seconds in `Retry-After` for the seconds until the next free place; None
            if the header is missing.
    """

    title: str
    retry_after: Callable[[float], float | None]


LIMITS = (
    Limit("no Retry-After", lambda _: None),
    Limit("Retry-After: 0.05", lambda _: 0.05),
    Limit("Retry-After: 1", lambda _: 1.0),
    Limit("Retry-After: until the next free place", lambda left: max(left, 0.1)),
)


@define
class Server:
    """A token bucket.

    Attributes:
        tokens: the requests that can be admitted now; negative while rejections are paid for.
    """

    clock: Callable[[], float]
    limit: Limit
    tokens: float = CAPACITY * BURST
    filled: float = 0.0
    admitted: int = 0
    rejected: int = 0

    def receive(self) -> Failure | None:
        """None if the request is admitted."""
        now = self.clock()
        self.tokens = min(CAPACITY * BURST, self.tokens + (now - self.filled) * CAPACITY)
        self.filled = now
        if self.tokens >= 1:
            self.tokens -= 1
            self.admitted += 1
            return None
        self.rejected += 1
        left = (1 - self.tokens) / CAPACITY
        # A server that is busy with rejections rejects the rest unread, at no further cost.
        self.tokens = max(self.tokens - REJECTION_COST, -CAPACITY * BURST)
        return Failure(status=429, retry_after=self.limit.retry_after(left))


@define
class Client:
    """A client with a pause that its requests share."""

    server: Server
    clock: Clock
    pause: Pause = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pause = Pause(self.clock)

    async def run(self, requests: int, in_flight: int) -> float:
        """Send all requests; returns the time of the last response."""
        numbers = iter(range(requests))

        async def worker() -> None:
            for _ in numbers:
                await self.request()

        await asyncio.gather(*(worker() for _ in range(in_flight)))
        return self.clock.now()

    async def request(self) -> None:
        began, attempt = self.clock.now(), 0
        while True:
            await self.pause.wait(POLICY.max_elapsed)
            attempt += 1
            failure = self.server.receive()
            if failure is None:
                await self.clock.sleep(SERVICE)
                return
            decision = decide(
                failure,
                policy=POLICY,
                attempt=attempt,
                elapsed=self.clock.now() - began,
                now=self.clock.wall(),
                jitter=self.clock.jitter(),
            )
            assert decision.retry, decision.reason
            self.pause.extend(decision.delay, 429)
            await self.clock.sleep(decision.delay)


@frozen
class Outcome:
    """Seconds until the last response, those of the first client to finish, and requests sent."""

    seconds: float
    first: float
    sent_per_request: float


def simulate(limit: Limit, clients: int, in_flight: int, requests: int) -> Outcome:
    """Run all clients at once."""
    loop = SimulatedLoop()
    numbers = random.Random(0)
    clock = Clock(loop.time, loop.time, asyncio.sleep, numbers.random)
    server = Server(loop.time, limit)

    async def run() -> list[float]:
        members = [Client(server, clock) for _ in range(clients)]
        return await asyncio.gather(*(client.run(requests, in_flight) for client in members))

    ends = run_in(loop, run())
    received = server.admitted + server.rejected
    return Outcome(max(ends), min(ends), received / (clients * requests))


def run_in(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


def ideal_seconds(clients: int, in_flight: int, requests: int) -> float:
    """The time of all requests at the server's capacity, or at the clients' if it is lower."""
    total = clients * requests
    at_capacity = (total - CAPACITY * BURST) / CAPACITY + SERVICE
    return max(at_capacity, requests / in_flight * SERVICE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--in-flight", type=int, default=4)
    parser.add_argument("--requests", type=int, default=60)
    options = parser.parse_args()
    sizes = (options.clients, options.in_flight, options.requests)
    ideal = ideal_seconds(*sizes)
    table = Table("429 with", "seconds", "of the ideal", "first client", "sent per request")
    for limit in LIMITS:
        outcome = simulate(limit, *sizes)
        table.add_row(
            limit.title,
            f"{outcome.seconds:.1f}",
            f"{outcome.seconds / ideal:.2f}",
            f"{outcome.first:.1f}",
            f"{outcome.sent_per_request:.2f}",
        )
        print(f"{limit.title}: {outcome.seconds / ideal:.2f}", file=sys.stderr, flush=True)
    console = Console(width=100)
    console.print("{} clients, {} in flight each, {} requests each".format(*sizes))
    console.print(f"ideal: {ideal:.1f} s")
    console.print(table)


if __name__ == "__main__":
    main()
