"""How a client ends: closed, dropped, or left behind when the interpreter exits."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future, wait
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING

from attrs import frozen

from tinker_ext.runtime.concurrency.loop import loop_if_started
from tinker_ext.runtime.session.session_ends import finish_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.runtime.connection.connection import Connection
    from tinker_ext.runtime.results.batch_poller import BatchPollerRegistry
    from tinker_ext.runtime.results.cancellations import CancellationSender
    from tinker_ext.runtime.session.session import Session
    from tinker_ext.runtime.session.session_ends import SessionEnd
    from tinker_ext.runtime.session.telemetry import Telemetry

# Seconds that the interpreter's exit waits for endings under way: an embedded backend is given 15
# to stop by itself (embedded.launch).
EXIT_LIMIT = 20.0

# Seconds that the server may take to note how a session ended; ours. The second is for a client
# that is closed without waiting, as after Ctrl-C: all in all that takes less than two seconds.
FINISH_LIMIT = 5.0
FINISH_LIMIT_AT_ONCE = 0.5

_under_way: set[Future[None]] = set()


@frozen(eq=False, kw_only=True)
class BackgroundResources:
    """What of a client goes on in the background, and ends with it. None of it knows the client.

    Attributes:
        release: called last, on a worker thread, if there is anything to release.
        process: where all of this runs; in a fork of it there is nothing to end.
    """

    batch_pollers: BatchPollerRegistry
    cancellations: CancellationSender
    session: Session
    telemetry: Telemetry
    connection: Connection
    release: Callable[[], None] | None
    process: int

    async def end(self, told: SessionEnd | None = None, *, at_once: bool = False) -> None:
        """Tell the server, send what telemetry there is, stop the heartbeat, close the sockets.

        The server gets less time to respond if it is to be done `at_once`.
        """
        try:
            await asyncio.gather(
                self.cancellations.close(), self.batch_pollers.close(), self.telemetry.close()
            )
            await self.session.close()
            session_id = self.session.known_id
            if told is not None and session_id is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(FINISH_LIMIT_AT_ONCE if at_once else FINISH_LIMIT):
                        await finish_session(self.connection, session_id, told)
            await self.connection.close()
        finally:
            await self._release_on_a_worker()

    async def _release_on_a_worker(self) -> None:
        if self.release is None:
            return
        try:
            releasing = asyncio.get_running_loop().run_in_executor(None, self.release)
        except RuntimeError:  # The interpreter exits, and gives out no threads any more.
            self.release()
        else:
            await releasing

    def schedule_shutdown(self) -> None:
        """Have it end by itself; from any thread, at any moment, also in the middle of another's.

        The garbage collector calls this, so it takes no lock and waits for nothing.
        """
        loop = loop_if_started()
        if self.process == os.getpid() and loop is not None:
            # In a context of its own: whose span is current here is chance.
            ended = Context().run(loop.submit, self.end())
            _under_way.add(ended)
            ended.add_done_callback(_under_way.discard)


def wait_for_shutdowns() -> None:
    """Let what was dropped just before the interpreter's exit end, too."""
    wait(list(_under_way), EXIT_LIMIT)
