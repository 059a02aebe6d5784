"""Shuts a client down: when it is closed, garbage-collected, or at the interpreter's exit."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future, wait
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING

from attrs import frozen

from tinker_ext.runtime.concurrency.loop import loop_if_started
from tinker_ext.runtime.session.session import finish_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.runtime.connection.connection import Connection
    from tinker_ext.runtime.results.batch_poller import BatchPollerRegistry
    from tinker_ext.runtime.results.cancellations import CancellationSender
    from tinker_ext.runtime.session.session import Session, SessionEnd
    from tinker_ext.runtime.session.telemetry import Telemetry

# Seconds that the interpreter's exit waits for pending shutdowns: an embedded backend has 15 to
# stop by itself (embedded.launch).
EXIT_LIMIT = 20.0

# Seconds to report the end of a session; ours. The second is for a client that is closed without
# waiting, as after Ctrl-C: its whole shutdown takes less than two seconds.
FINISH_LIMIT = 5.0
FINISH_LIMIT_IMMEDIATE = 0.5

_pending: set[Future[None]] = set()


@frozen(eq=False, kw_only=True)
class BackgroundResources:
    """A client's background resources, closed together.

    None holds a reference to the client, so it can be garbage-collected.

    Attributes:
        release: called last, on a worker thread; None if there is nothing to release.
        process: the id of the process that owns the resources; a forked process has none to close.
    """

    batch_pollers: BatchPollerRegistry
    cancellations: CancellationSender
    session: Session
    telemetry: Telemetry
    connection: Connection
    release: Callable[[], None] | None
    process: int

    async def close(self, end: SessionEnd | None = None, *, immediate: bool = False) -> None:
        """Send cancellations and telemetry, stop the heartbeat, report `end`, close the sockets.

        With `immediate` the server has less time to respond to the report.
        """
        try:
            await asyncio.gather(
                self.cancellations.close(), self.batch_pollers.close(), self.telemetry.close()
            )
            await self.session.close()
            session_id = self.session.known_id
            if end is not None and session_id is not None:
                limit = FINISH_LIMIT_IMMEDIATE if immediate else FINISH_LIMIT
                with suppress(TimeoutError):
                    async with asyncio.timeout(limit):
                        await finish_session(self.connection, session_id, end)
            await self.connection.close()
        finally:
            await self._release_on_a_worker()

    async def _release_on_a_worker(self) -> None:
        if self.release is None:
            return
        try:
            releasing = asyncio.get_running_loop().run_in_executor(None, self.release)
        except RuntimeError:  # The interpreter is exiting and starts no more threads.
            self.release()
        else:
            await releasing

    def schedule_shutdown(self) -> None:
        """Close in the background. May be called from any thread at any time.

        The garbage collector calls it, so it takes no lock and does not block.
        """
        loop = loop_if_started()
        if self.process == os.getpid() and loop is not None:
            # In an empty context: any span may be current here.
            closing = Context().run(loop.submit, self.close())
            _pending.add(closing)
            closing.add_done_callback(_pending.discard)


def wait_for_shutdowns() -> None:
    """Wait for the shutdown of clients that were dropped just before the interpreter's exit."""
    wait(list(_pending), EXIT_LIMIT)
