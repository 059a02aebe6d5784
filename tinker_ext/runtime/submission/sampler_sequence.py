"""One client of a sampling session: its numbers, and how it learns what became of its samples.

The process that opened the session counts from 0, as 0.4.1 does. Others (a copy that was pickled,
the child of a fork) ask the server once which of the session's clients they are, and have a range
of numbers for themselves. Where servers have nothing of the kind they count from a random number
that JSON still holds exactly.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
from typing import TYPE_CHECKING, Any

from tinker_ext import tracing
from tinker_ext.errors import APIStatusError, DeadlineExceededError
from tinker_ext.protocol.error_shapes import MISSING_STATUSES
from tinker_ext.rules.completions import NUMBERS_PER_CLIENT, first_number
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.tracing import log

if TYPE_CHECKING:
    from tinker_ext.runtime.core import ClientCore
    from tinker_ext.runtime.results.batch_poller import BatchPoller
    from tinker_ext.transport.gateway import Gateway


class SamplerSequence:
    """Numbers the samples of one client, none used twice among those that share the session.

    Its `counter` is 0 for the one that opened the session, None where the server has not counted
    it: then nobody else tells of its samples, whose range it may share.
    """

    def __init__(self, sampling_session_id: str, *, elsewhere: bool = False) -> None:
        self._sampling_session_id = sampling_session_id
        self._joining: dict[int, asyncio.Task[None]] = {}
        self._begin(None if elsewhere else os.getpid(), 0, 0)

    def _begin(self, process: int | None, counter: int | None, first: int) -> None:
        self._process = process
        self._batch_poller: BatchPoller | None = None
        self._numbers = itertools.count(first)
        self.counter = counter

    async def next_seq_id(self, core: ClientCore) -> int:
        """The next number; on the event loop only.

        Raises:
            APIError: this client would have to join the session, and can't.
        """
        process = os.getpid()
        if self._process != process:
            joining = self._joining.get(process)
            if joining is None or joining.done():
                joining = tasks.create_detached_task(self._join(core, process))
                self._joining = {process: joining}
                core.keep(joining)
            with tracing.stage(tracing.Stage.CONNECT):
                await asyncio.shield(joining)
        return next(self._numbers)

    async def _join(self, core: ClientCore, process: int) -> None:
        counter = None
        try:
            counter = await core.call("join_sampling_session", self._request_slot)
        except APIStatusError as error:
            if error.status_code not in MISSING_STATUSES:  # Whatever its words.
                raise
        first = first_number(counter)
        if first is None:
            if counter is not None:
                log.warning("the server counts a client as %r, which is none", counter)
            # Below 2**52, and 2**21 numbers from the next that it might have been.
            self._begin(process, None, secrets.randbits(31) << 21)
        else:
            self._begin(process, first // NUMBERS_PER_CLIENT, first)

    async def _request_slot(self, gateway: Gateway) -> object:
        flags = gateway.protocol.flags
        wanted = flags is not None and flags.sample_join_sampling_session
        if not wanted or not gateway.protocol.supports("join_sampling_session"):
            return None
        return await gateway.join_sampling_session(self._sampling_session_id)

    async def result(self, core: ClientCore, request_id: str) -> Any:
        """The body of a submitted sample's result.

        Where it is not waited for to the end, the server is told so. Raises as `FuturePoller.wait`.
        """
        try:
            return await core.poller.wait(
                request_id, operation="asample", source=self._completion_source(core)
            )
        except (asyncio.CancelledError, DeadlineExceededError):
            core.cancellations.add(request_id)
            raise

    def _completion_source(self, core: ClientCore) -> BatchPoller | None:
        flags = core.dialect.flags
        told = flags is not None and flags.sample_use_retrieve_futures
        if self.counter is None or not told or not core.dialect.supports("retrieve_futures"):
            return None
        if self._batch_poller is None:
            self._batch_poller = core.batch_pollers.listener(
                self._sampling_session_id, self.counter
            )
        return self._batch_poller
