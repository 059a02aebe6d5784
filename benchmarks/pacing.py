"""Simulate many clients against a server that limits its rate: do they share it without collapse?

    python benchmarks/pacing.py [--clients 1000] [--in-flight 4] [--requests 60] [--capacity 1000]

Every client is a process of its own, so that each has a shared pause of its own. Its requests run
through the retry engine of production (`runtime.retry.retrying`), with the default policy; only the
server and the time are simulated. The server admits a fixed number of requests per second. It
rejects others with 429, which costs it a tenth of a request: a server that only rejects completes
nothing. The ideal time is that of the same server and clients that never send too early.

The result is the same in each run: the jitter has a fixed seed (`--seed`).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import selectors
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field, frozen
from rich.console import Console
from rich.table import Table

from tinker_ext.errors import RateLimitError
from tinker_ext.rules.retry import RetryPolicy
from tinker_ext.runtime.retrying import Pause, Retrier
from tinker_ext.timeouts import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

#: Seconds until an admitted request is completed.
SERVICE = 0.2
#: The share of the capacity that a rejected request uses.
REJECTION_COST = 0.1
#: Seconds of requests that may be admitted at once after an idle time.
BURST = 1.0


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
        capacity: requests per second.
        tokens: the requests that can be admitted now; negative while rejections are paid for.
    """

    clock: Clock
    limit: Limit
    capacity: float
    tokens: float = field(init=False)
    filled: float = 0.0
    admitted: int = 0
    rejected: int = 0

    def __attrs_post_init__(self) -> None:
        self.tokens = self.capacity * BURST

    async def receive(self) -> None:
        """Complete a request, or raise RateLimitError."""
        now = self.clock.now()
        self.tokens = min(self.capacity * BURST, self.tokens + (now - self.filled) * self.capacity)
        self.filled = now
        if self.tokens >= 1:
            self.tokens -= 1
            self.admitted += 1
            await self.clock.sleep(SERVICE)
            return
        self.rejected += 1
        left = (1 - self.tokens) / self.capacity
        # A server that is busy with rejections rejects the rest unread, at no further cost.
        self.tokens = max(self.tokens - REJECTION_COST, -self.capacity * BURST)
        retry_after = self.limit.retry_after(left)
        raise RateLimitError("too many requests", status_code=429, retry_after=retry_after)


async def run_client(server: Server, clock: Clock, requests: int, in_flight: int) -> float:
    """Send all requests with the retry engine of a client; returns the time of the last response.

    Raises:
        RateLimitError: a request did not succeed within the default window.
    """
    retrier = Retrier(Pause(clock), clock)
    numbers = iter(range(requests))

    async def worker() -> None:
        for _ in numbers:
            await retrier.run(server.receive, operation="asample", policy=RetryPolicy)

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return clock.now()


@frozen
class Outcome:
    """Seconds until the last response, those of the first client to finish, and requests sent."""

    seconds: float
    first: float
    sent_per_request: float


@frozen
class Sizes:
    """Clients, requests in flight and in total of each, and the requests per second admitted."""

    clients: int
    in_flight: int
    requests: int
    capacity: float

    @property
    def total(self) -> int:
        return self.clients * self.requests

    @property
    def ideal_seconds(self) -> float:
        """The time of all requests at the server's capacity, or at the clients' if it is lower."""
        at_capacity = (self.total - self.capacity * BURST) / self.capacity + SERVICE
        return max(at_capacity, self.requests / self.in_flight * SERVICE)


def simulate(limit: Limit, sizes: Sizes, seed: int = 0) -> Outcome:
    """Run all clients at once.

    Raises:
        RateLimitError: a request did not succeed within the default retry window.
    """
    loop = SimulatedLoop()
    jitter = random.Random(seed).random
    clock = Clock(loop.time, loop.time, asyncio.sleep, jitter)
    server = Server(clock, limit, sizes.capacity)

    async def run() -> list[float]:
        members = (
            run_client(server, clock, sizes.requests, sizes.in_flight) for _ in range(sizes.clients)
        )
        return await asyncio.gather(*members)

    ends = run_in(loop, run())
    received = server.admitted + server.rejected
    return Outcome(max(ends), min(ends), received / sizes.total)


def run_in(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--in-flight", type=int, default=4)
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--capacity", type=float, default=1000.0, help="requests per second")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # A client logs that its requests are delayed.
    sizes = Sizes(options.clients, options.in_flight, options.requests, options.capacity)
    ideal = sizes.ideal_seconds
    table = Table("429 with", "seconds", "of the ideal", "first client", "sent per request")
    for limit in LIMITS:
        outcome = simulate(limit, sizes, options.seed)
        table.add_row(
            limit.title,
            f"{outcome.seconds:.1f}",
            f"{outcome.seconds / ideal:.2f}",
            f"{outcome.first:.1f}",
            f"{outcome.sent_per_request:.2f}",
        )
        print(f"{limit.title}: {outcome.seconds / ideal:.2f}", file=sys.stderr, flush=True)
    console = Console(width=100)
    console.print(
        f"{sizes.clients} clients, {sizes.in_flight} in flight each, {sizes.requests} requests "
        f"each, {sizes.capacity:g} per second"
    )
    console.print(f"ideal: {ideal:.1f} s")
    console.print(table)


if __name__ == "__main__":
    main()
