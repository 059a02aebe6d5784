"""Results of submitted operations: encoded once, awaited, fetched, and kept within a size limit."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Literal

import orjson

from tinker_ext.embedded.errors import UserFailureError, describe_storage_error

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("tinker_ext.embedded")

Category = Literal["user", "server"]

# Size of the results in memory. 256 MB holds about twenty-five results of the largest batch that a
# client sends (128 datums of 4096 logprobs, about 10 MB each), or hundreds of thousands of typical
# ones.
MAX_BYTES = 256 * 1024 * 1024

# Ids of evicted results that are remembered, to distinguish "not kept" from "unknown request".
MAX_EVICTED_IDS = 20_000

# Memory of one result in addition to its bytes: the id, two dictionary slots, the object.
OVERHEAD_BYTES = 512


def encode_json(content: object) -> bytes:
    """Encode to JSON; numpy arrays are written directly, without conversion to lists."""
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def failure(message: str, category: Category) -> bytes:
    """The encoded result of a failed operation."""
    return encode_json({"error": message, "category": category})


def is_failure(result: bytes) -> bool:
    """Whether a result was made by `failure`; no other result starts this way."""
    return result.startswith(b'{"error":')


def run_and_encode(operation: Callable[[], object], kind: str) -> bytes:
    """Run an operation and encode its result, or the exception it raises as a failure.

    User errors and disk errors keep their message, and both have the category "user", because a
    retry would fail again. Other exceptions are logged with their traceback and reported by type
    and message.
    """
    from tinker_ext.embedded.engine.errors import EngineInputError

    try:
        return encode_json(operation())
    except (UserFailureError, EngineInputError) as error:
        return failure(str(error), "user")
    except Exception as error:
        description = describe_storage_error(error)
        if description is not None:
            logger.warning("%s failed: %s", kind, description)
            return failure(f"{kind} failed: {description}", "user")
        logger.exception("%s failed", kind)
        return failure(f"{kind} failed in the server: {type(error).__name__}: {error}", "server")


class ResultStore:
    """The results of this process, used on one event loop.

    When space is needed, fetched results are evicted first, because they are fetched again only if
    the response was lost; then the others. Within each group the oldest are evicted first.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._pending: dict[str, asyncio.Event] = {}
        self._unfetched: OrderedDict[str, bytes] = OrderedDict()
        self._fetched: OrderedDict[str, bytes] = OrderedDict()
        self._evicted: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, request_id: str) -> bool:
        """Whether the request is pending or its result is stored."""
        return (
            request_id in self._pending
            or request_id in self._unfetched
            or request_id in self._fetched
        )

    def was_evicted(self, request_id: str) -> bool:
        """Whether the request had a result that has been evicted."""
        return request_id in self._evicted

    def open(self, request_id: str) -> None:
        """Mark a request as pending."""
        self._pending[request_id] = asyncio.Event()

    def finish(self, request_id: str, result: bytes) -> None:
        """Store the result of a request and wake all waiters."""
        self._unfetched[request_id] = result
        self._bytes += len(result) + OVERHEAD_BYTES
        event = self._pending.pop(request_id, None)
        if event is not None:
            event.set()
        self._evict()

    async def completed(self, request_id: str) -> None:
        """Wait until the request is not pending."""
        event = self._pending.get(request_id)
        if event is not None:
            await event.wait()

    def fetch(self, request_id: str) -> bytes | None:
        """The result if it is stored; it may then be evicted before unfetched ones."""
        result = self._unfetched.pop(request_id, None)
        if result is None:
            return self._fetched.get(request_id)
        self._fetched[request_id] = result
        return result

    def _evict(self) -> None:
        while self._bytes > self._max_bytes and (self._fetched or self._unfetched):
            request_id, result = (self._fetched or self._unfetched).popitem(last=False)
            self._bytes -= len(result) + OVERHEAD_BYTES
            self._evicted[request_id] = None
        while len(self._evicted) > MAX_EVICTED_IDS:
            self._evicted.popitem(last=False)
