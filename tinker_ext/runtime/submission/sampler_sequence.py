"""Sequence numbers for the samples of one client of a sampling session.

The process that opened the session counts from 0, as release 0.4.1 does. Any other process (one
that unpickled the client, the child of a fork) joins the session once and gets its own range of
numbers from the server. If the server can't assign ranges, it counts from a random number that JSON
still represents exactly.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
from typing import Any

from tinker_api import models

from tinker_ext import tracing
from tinker_ext.errors import APIStatusError, DeadlineExceededError
from tinker_ext.protocol.error_responses import MISSING_STATUSES
from tinker_ext.protocol.server_protocol import ServerProtocol
from tinker_ext.rules.completions import SEQ_IDS_PER_CLIENT, first_seq_id
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.core import ClientCore
from tinker_ext.runtime.results.batch_poller import BatchPoller
from tinker_ext.tracing import log
from tinker_ext.transport import operations


class SamplerSequence:
    """Numbers the samples of one client; no two clients of the session use the same number.

    Attributes:
        counter: 0 for the client that opened the session; the index that the server assigned to
            any other. None if the server assigned none: completions are then not batched, because
            the number range may be shared.
    """

    def __init__(
        self, core: ClientCore, sampling_session_id: str, *, elsewhere: bool = False
    ) -> None:
        self._core = core
        self._sampling_session_id = sampling_session_id
        self._joining: dict[int, asyncio.Task[None]] = {}
        self._begin(None if elsewhere else os.getpid(), 0, 0)

    def _begin(self, process: int | None, counter: int | None, first: int) -> None:
        self._process = process
        self._batch_poller: BatchPoller | None = None
        # What `_find_source` has returned for the protocol.
        self._source: BatchPoller | None = None
        self._protocol: ServerProtocol | None = None
        self._numbers = itertools.count(first)
        self.counter = counter

    async def next_seq_id(self) -> int:
        """The next number; on the event loop only.

        Raises:
            APIError: this client has to join the session first, and joining failed.
        """
        process = os.getpid()
        if self._process != process:
            joining = self._joining.get(process)
            if joining is None or joining.done():
                joining = tasks.create_detached_task(self._join(process))
                self._joining = {process: joining}
                self._core.keep(joining)
            with tracing.stage(tracing.Stage.CONNECT):
                await asyncio.shield(joining)
        return next(self._numbers)

    async def _join(self, process: int) -> None:
        counter = None
        try:
            counter = await self._request_slot()
        except APIStatusError as error:
            if error.status_code not in MISSING_STATUSES:  # Whatever its message.
                raise
        first = first_seq_id(counter)
        if first is None:
            if counter is not None:
                log.warning("ignoring the invalid client index %r from the server", counter)
            # Below 2**52, and at least 2**21 numbers away from any other random start.
            self._begin(process, None, secrets.randbits(31) << 21)
        else:
            self._begin(process, first // SEQ_IDS_PER_CLIENT, first)

    async def _request_slot(self) -> object:
        name = operations.join_sampling_session.name
        protocol = await self._core.connection.negotiated(name)
        enabled = protocol.flags is not None and protocol.flags.sample_join_sampling_session
        if not enabled or not protocol.supports(name):
            return None
        body = models.JoinSamplingSessionRequest(sampling_session_id=self._sampling_session_id)
        return (await self._core.call(operations.join_sampling_session(body=body))).client_counter

    async def result(self, request_id: str) -> Any:
        """The body of a submitted sample's result; raises as `FuturePoller.wait`.

        Asks the server to cancel the sample if the wait is cancelled or exceeds its deadline.
        """
        protocol = self._core.connection.protocol
        if protocol is not self._protocol:
            self._protocol, self._source = protocol, self._find_source(protocol)
        try:
            return await self._core.poller.wait(
                request_id, operation="asample", source=self._source
            )
        except (asyncio.CancelledError, DeadlineExceededError):
            self._core.cancellations.add(request_id)
            raise

    def _find_source(self, protocol: ServerProtocol) -> BatchPoller | None:
        """Reports completed samples, if the server does."""
        enabled = protocol.flags is not None and protocol.flags.sample_use_retrieve_futures
        if self.counter is None or not enabled or not protocol.supports("retrieve_futures"):
            return None
        if self._batch_poller is None:
            self._batch_poller = self._core.batch_pollers.create(
                self._sampling_session_id, self.counter
            )
        return self._batch_poller
