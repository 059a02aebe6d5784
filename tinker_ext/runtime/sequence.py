"""Numbers for requests, none used for two different ones.

Training requests are numbered in order and without gaps, samples in any way that is unique.

A server works through a model's requests by `seq_id`. A number that was never used makes it wait
for ever, or refuse all that follows ("Sequence conflict: expected 1, got 3"); a number used twice
is answered from the first request. Where the server tells which number it waits for, numbering
goes on from there.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
from typing import TYPE_CHECKING, Any, TypeVar

from tinker_ext.errors import APIStatusError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

# As releases 0.4.1 to 0.38.0 start.
FIRST = 1

# Answers of something between us and the server, which may or may not have passed the request on.
_FROM_A_PROXY = frozenset({502, 503, 504, *range(520, 525)})


class SequenceNumbers:
    """Gives the next number to one request at a time, and takes it back if it was refused.

    To be used within a turn, so that no two requests ask at once. `keep` is given each task that
    sends, which may outlive its caller.
    """

    def __init__(self, keep: Callable[[asyncio.Task[Any]], None], first: int = FIRST) -> None:
        self._keep = keep
        self.next = first
        #: Counts the times that numbering went back.
        self.era = 0

    async def number(self, send: Callable[[int], Awaitable[T]]) -> T:
        """Send a request under the next number.

        Sending is not interrupted when the caller is cancelled, because nobody would then know
        whether the number was used.
        """
        seq_id, era = self.next, self.era
        sending = asyncio.get_running_loop().create_task(_run(send, seq_id))
        self._keep(sending)
        try:
            await asyncio.wait({sending})
        finally:
            if era == self.era and not (sending.done() and was_refused(sending)):
                self.next = seq_id + 1
        return sending.result()

    def go_back(self, expected: int, era: int) -> None:
        """Number the next request `expected`, as the server asked of one of that `era`.

        What it says of requests of an earlier era is old news.
        """
        if era == self.era and expected < self.next:
            self.next = expected
            self.era += 1


class SampleNumbers:
    """Numbers for the samples of one sampling session, unique among the processes that share it.

    The process that opened the session counts from 0, as 0.4.1 does. Others (a copy that was
    pickled, the child of a fork) count from a random number that JSON still holds exactly.
    """

    def __init__(self, *, elsewhere: bool = False) -> None:
        self._process = None if elsewhere else os.getpid()
        self._numbers = itertools.count()

    def next(self) -> int:
        """The next number; from any thread."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._numbers = itertools.count(secrets.randbits(31) << 21)
        return next(self._numbers)


async def _run(send: Callable[[int], Awaitable[T]], seq_id: int) -> T:
    return await send(seq_id)


def was_refused(sending: asyncio.Future[T]) -> bool:
    """Whether the server itself said no, so that it has not counted the number.

    A connection that broke, or an answer of a proxy, says nothing about that.
    """
    error = None if sending.cancelled() else sending.exception()
    return isinstance(error, APIStatusError) and error.status_code not in _FROM_A_PROXY
