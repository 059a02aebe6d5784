"""A sampling client that does only what a sample needs: the lower bound of the cost of a client.

It encodes the request on the caller's thread, passes it to one background event loop, sends the two
requests of a sample with aiohttp, and decodes the result with the decoder of this project on the
caller's thread. One wake-up of a loop serves everything that is queued for it. There is no
validation, no retry, no tracing, no order and no limit.

Its names are those of the SDKs as far as `driver.py` uses them. With uvloop installed and
`UVLOOP=1`, the background loop is uvloop's.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from tinker_ext.transport.protobuf import decode_result

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

HEADERS = {
    "X-API-Key": "tml-benchmark",
    "Content-Type": "application/json",
    "Accept": "application/x-protobuf, application/json",
}
PROTOBUF = "application/x-protobuf"


class Mailbox:
    """Calls functions on an event loop; those added before the loop wakes up share a wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: deque[Callable[[], object]] = deque()
        self._is_woken = False

    def put(self, function: Callable[[], object]) -> None:
        self._pending.append(function)
        if not self._is_woken:
            self._is_woken = True
            self._loop.call_soon_threadsafe(self._run)

    def _run(self) -> None:
        self._is_woken = False
        while self._pending:
            self._pending.popleft()()


class ModelInput:
    """Token ids."""

    def __init__(self, tokens: list[int]) -> None:
        self.tokens = tokens

    @classmethod
    def from_ints(cls, tokens: list[int]) -> ModelInput:
        return cls(tokens)


def SamplingParams(**options: Any) -> dict[str, Any]:  # noqa: N802  # the name of the SDKs
    """The parameters as they are sent."""
    return options


class Sample:
    """The future of a sample: `result()` blocks, `await` does not."""

    def __init__(self, client: ServiceClient, body: bytes) -> None:
        self._client = client
        self._body = body
        self._blocking: Future[bytes] | None = None

    def start(self) -> Sample:
        """Send the request; the result is for a thread that blocks."""
        future: Future[bytes] = Future()
        self._blocking = future
        self._client.submit(self._body, future.set_result)
        return self

    def result(self) -> Any:
        assert self._blocking is not None
        return decode_result("asample", self._blocking.result())

    def __await__(self) -> Generator[Any, Any, Any]:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bytes] = loop.create_future()
        mailbox = self._client.mailbox_of(loop)
        self._client.submit(
            self._body, lambda content: mailbox.put(lambda: waiter.set_result(content))
        )
        content = yield from waiter.__await__()
        return decode_result("asample", content)


class ServiceClient:
    """Owns the background loop and the connections."""

    def __init__(self, api_key: str, base_url: str) -> None:
        self._url = f"{base_url}/api/v1"
        self._headers = {**HEADERS, "X-API-Key": api_key}
        self._loop = _new_loop()
        self._mailbox = Mailbox(self._loop)
        self._back: Mailbox | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._connect(), self._loop).result()

    async def _connect(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=connector)

    def create_sampling_client(self, base_model: str) -> SamplingClient:
        return SamplingClient(self, base_model)

    def mailbox_of(self, loop: asyncio.AbstractEventLoop) -> Mailbox:
        """The mailbox of the caller's loop; there is one caller."""
        if self._back is None:
            self._back = Mailbox(loop)
        return self._back

    def submit(self, body: bytes, deliver: Callable[[bytes], object]) -> None:
        self._mailbox.put(lambda: self._start(body, deliver))

    def _start(self, body: bytes, deliver: Callable[[bytes], object]) -> None:
        task = self._loop.create_task(self._sample(body, deliver))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sample(self, body: bytes, deliver: Callable[[bytes], object]) -> None:
        post, headers = self._session.post, self._headers
        async with post(f"{self._url}/asample", data=body, headers=headers) as response:
            request_id = orjson.loads(await response.read())["request_id"]
        poll = orjson.dumps({"request_id": request_id})
        while True:
            url = f"{self._url}/retrieve_future"
            async with post(url, data=poll, headers=headers) as response:
                content = await response.read()
                if response.content_type == PROTOBUF:
                    deliver(content)
                    return


class SamplingClient:
    """Samples from a model."""

    def __init__(self, service: ServiceClient, base_model: str) -> None:
        self._service = service
        self._base_model = base_model
        self._numbers = itertools.count(1)

    def _request(self, prompt: ModelInput, num_samples: int, params: dict[str, Any]) -> Sample:
        body = {
            "base_model": self._base_model,
            "sampling_session_id": "sampling",
            "seq_id": next(self._numbers),
            "num_samples": num_samples,
            "prompt": {"chunks": [{"type": "encoded_text", "tokens": prompt.tokens}]},
            "sampling_params": params,
        }
        return Sample(self._service, orjson.dumps(body))

    def sample(self, prompt: ModelInput, num_samples: int, params: dict[str, Any]) -> Sample:
        return self._request(prompt, num_samples, params).start()

    async def sample_async(
        self, prompt: ModelInput, num_samples: int, params: dict[str, Any]
    ) -> Any:
        return await self._request(prompt, num_samples, params)


def _new_loop() -> asyncio.AbstractEventLoop:
    if os.environ.get("UVLOOP"):
        import uvloop  # type: ignore[import-not-found]  # an option of the reader

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    return asyncio.new_event_loop()
