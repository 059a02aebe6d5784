"""Downloads files from signed URLs: resumed, retried, verified, several at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, TypeVar

from attrs import define, field, frozen

from tinker_ext.errors import APIConnectionError, APIStatusError, DownloadError
from tinker_ext.rules.retry import RetryPolicy, TransportFault
from tinker_ext.runtime.concurrency import tasks
from tinker_ext.runtime.retrying import Pause, Retrier
from tinker_ext.timeouts import Clock
from tinker_ext.tracing import log
from tinker_ext.transport.storage import (
    REJECTED_URL_STATUSES,
    UNSATISFIABLE,
    Storage,
    StorageResponse,
    content_of,
    is_expiring,
    range_headers,
)
from tinker_ext.types.responses.checkpoints import DownloadProgress

if TYPE_CHECKING:
    from tinker_ext.clients.downloads.partial_file import PartialFile
    from tinker_ext.runtime.core import ClientCore

Stage: TypeAlias = Literal["preparing", "downloading"]
ProgressCallback: TypeAlias = Callable[[DownloadProgress], object]

T = TypeVar("T")

OPERATION = "download_checkpoint"
# Files of one checkpoint downloaded at a time. Ours: one seldom uses all the bandwidth.
CONCURRENT_FILES = 4
# Bytes after which an interrupted attempt counts as progress and restarts the retry window.
PROGRESS_BYTES = 1 << 20
# Seconds between calls of the progress callback, while downloading and while preparing; and between
# log lines while preparing.
REPORT_INTERVAL, PREPARING_INTERVAL, LOG_INTERVAL = 0.1, 1.0, 60.0


class ProgressCallbackError(Exception):
    """The caller's progress callback raised `error`, which the future raises.

    It must not reach the event loop unwrapped, because SystemExit and KeyboardInterrupt stop it.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


@frozen(eq=False)
class SignedUrls:
    """URLs by file name, their expiry, and when they were signed (epoch seconds)."""

    urls: Mapping[str, str]
    expires: datetime
    signed: float

    def expire_soon(self, now: float) -> bool:
        """Whether they should be signed again."""
        return is_expiring(self.expires.timestamp(), self.signed, now)


@define(eq=False)
class UrlSigner:
    """Requests new signed URLs when they expire or were rejected."""

    sign: Callable[[], Awaitable[SignedUrls]]
    clock: Clock
    _signed: SignedUrls | None = None
    _lock: asyncio.Lock = field(factory=asyncio.Lock)

    async def current(self, rejected: SignedUrls | None = None) -> SignedUrls:
        """Valid URLs, other than those that the storage `rejected`."""
        async with self._lock:
            signed = self._signed
            if signed is None or signed is rejected or signed.expire_soon(self.clock.wall()):
                signed = self._signed = await self.sign()
            return signed


class _End(Enum):
    """The end of an attempt to download a file, unless it counts as a failure."""

    COMPLETE = auto()
    INTERRUPTED = auto()
    REJECTED = auto()
    FLAWED = auto()


class Transfer:
    """The files of one download, within `async with`. Used on the event loop only."""

    def __init__(self, core: ClientCore, progress: ProgressCallback | None = None) -> None:
        self._clock = clock = core.connection.retrier.clock
        # The storage has rate limits of its own.
        self._retrier = Retrier(Pause(clock), clock)
        window = core.config.retry_window
        self._policy = RetryPolicy(max_elapsed=window, billing_max_elapsed=window)
        self._storage = Storage(core.config)
        self._slots = asyncio.Semaphore(CONCURRENT_FILES)
        self._meter = _Meter(progress)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._storage.close()

    def signer(
        self, sign: Callable[[], Awaitable[SignedUrls]], first: SignedUrls | None = None
    ) -> UrlSigner:
        """A source of URLs that starts with `first`."""
        return UrlSigner(sign, self._clock, first)

    async def while_preparing(self, work: Coroutine[Any, Any, T], what: str) -> T:
        """The result of `work`; reports progress and logs the wait meanwhile."""
        task = asyncio.create_task(work)
        logged = self._meter.elapsed
        try:
            while not task.done():
                await self._meter.report("preparing")
                await asyncio.wait({task}, timeout=PREPARING_INTERVAL)
                if self._meter.elapsed - logged >= LOG_INTERVAL:
                    logged = self._meter.elapsed
                    log.warning("%s: %s for %.0f s so far", OPERATION, what, logged)
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def fetch(self, signer: UrlSigner, files: Mapping[str, PartialFile]) -> int:
        """Download files by name until each partial file is complete; returns their total size.

        Raises:
            DownloadError, APIError: a file can't be downloaded; all partial files are kept.
        """
        self._meter.files = list(files.values())
        loading = [
            asyncio.create_task(self._fetch(signer, name, file)) for name, file in files.items()
        ]
        try:
            await self._meter.report("downloading")
            await asyncio.gather(*loading)
            await self._meter.report("downloading")
        finally:
            for task in loading:
                task.cancel()
            await asyncio.gather(*loading, return_exceptions=True)
        return sum(file.offset for file in files.values())

    async def _fetch(self, signer: UrlSigner, name: str, file: PartialFile) -> None:
        async with self._slots:
            rejected: SignedUrls | None = None
            flawed = False
            while True:
                signed = await signer.current(rejected)
                if name not in signed.urls:
                    raise DownloadError(f"the server no longer has the file {name!r}")
                attempt = partial(self._attempt, signed.urls[name], file)
                end, error = await self._retrier.run(
                    attempt, operation=OPERATION, policy=lambda: self._policy
                )
                if end is _End.COMPLETE:
                    self._meter.complete.add(id(file))
                    return
                # New URLs are tried once in a row, a download from the start once.
                if error is not None and (flawed if end is _End.FLAWED else rejected is not None):
                    raise error
                rejected = signed if end is _End.REJECTED else None
                flawed = flawed or end is _End.FLAWED

    async def _attempt(self, url: str, file: PartialFile) -> tuple[_End, Exception | None]:
        before = file.offset
        try:
            await self._receive(url, file)
        except APIStatusError as error:
            if error.status_code not in REJECTED_URL_STATUSES:
                raise
            log.info("%s: the URL of %s was rejected: %s", OPERATION, file.target.name, error)
            return _End.REJECTED, error
        except APIConnectionError as error:
            if file.offset - before < PROGRESS_BYTES:
                raise
            log.info(
                "%s: %s was interrupted at byte %d: %s", OPERATION, file.part, file.offset, error
            )
            return _End.INTERRUPTED, None
        if file.missing > 0:
            raise _broken(
                f"the response ended at byte {file.offset}; {file.missing} bytes are missing"
            )
        flaw = await asyncio.to_thread(file.flaw)
        if flaw is None:
            return _End.COMPLETE, None
        await asyncio.to_thread(file.discard)
        log.warning("%s: %s has wrong contents: %s", OPERATION, file.target, flaw)
        return _End.FLAWED, DownloadError(
            f"{file.target}: the download has wrong contents: {flaw}", path=str(file.target)
        )

    async def _receive(self, url: str, file: PartialFile) -> None:
        """Request the missing bytes and write them."""
        validator = None if file.content is None else file.content.validator
        headers = range_headers(file.offset, validator)
        async with self._storage.get(OPERATION, url, headers) as response:
            _check_media_type(response)
            content = content_of(response.status, response.headers, file.offset)
            if content is None or not file.fits(content):
                await asyncio.to_thread(file.discard)
                raise _broken(
                    "the file has changed, or the server sent bytes other than those requested"
                )
            if response.status == UNSATISFIABLE:
                return
            _check_encoding(response, file)
            try:
                await on_thread(file.open, content)
                async for piece in response.pieces:
                    await on_thread(file.write, piece)
                    await self._meter.moved()
            finally:
                file.close()


async def on_thread(function: Callable[[T], None], argument: T) -> None:
    """Call a function on a worker thread; a cancellation takes effect after it returned."""
    call = asyncio.ensure_future(asyncio.to_thread(function, argument))
    try:
        await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait({call})
        tasks.retrieve_exception(call)
        raise


def _broken(message: str) -> APIConnectionError:
    return APIConnectionError(message, fault=TransportFault.PROTOCOL, operation=OPERATION)


def _check_media_type(response: StorageResponse) -> None:
    """Reject the page of a proxy, such as that of a captive portal; no file of a checkpoint is one.

    Raises:
        APIConnectionError: it is a page; the request is repeated.
    """
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in ("text/html", "application/xhtml+xml"):
        raise _broken("the response is an HTML page, probably of a proxy, instead of the file")


def _check_encoding(response: StorageResponse, file: PartialFile) -> None:
    """Reject a file that was compressed for transfer; an archive is compressed anyway."""
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity" and file.target.suffix not in (".gz", ".tgz"):
        raise DownloadError(
            f"{file.target}: expected no Content-Encoding from the storage, got {encoding[:40]!r}",
            path=str(file.target),
        )


class _Meter:
    """Sums up the progress of all files and passes it to the callback on a worker thread."""

    def __init__(self, callback: ProgressCallback | None) -> None:
        self._callback = callback
        self._started = self._reported = time.monotonic()
        self._reporting = asyncio.Lock()
        self.files: list[PartialFile] = []
        self.complete: set[int] = set()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    async def moved(self) -> None:
        """Report written bytes, at most once per `REPORT_INTERVAL`."""
        due = time.monotonic() - self._reported >= REPORT_INTERVAL
        if due and not self._reporting.locked():
            await self.report("downloading")

    async def report(self, stage: Stage) -> None:
        """Call the progress callback.

        Raises:
            ProgressCallbackError: the callback raised an error.
        """
        if self._callback is None:
            return
        async with self._reporting:
            self._reported = time.monotonic()
            await asyncio.to_thread(_guarded, self._callback, self._progress(stage))

    def _progress(self, stage: Stage) -> DownloadProgress:
        sizes = [file.content.size if file.content else None for file in self.files]
        known = [size for size in sizes if size is not None]
        return DownloadProgress(
            stage=stage,
            bytes_done=sum(file.offset for file in self.files),
            bytes_total=sum(known) if sizes and len(known) == len(sizes) else None,
            files_done=len(self.complete),
            files_total=len(self.files),
            elapsed=self.elapsed,
        )


def _guarded(callback: ProgressCallback, progress: DownloadProgress) -> None:
    try:
        callback(progress)
    except BaseException as error:
        raise ProgressCallbackError(error) from None
