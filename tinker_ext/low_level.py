"""Helpers for programs that use the generated bindings (`tinker_api`) without the client.

`wait_for` fetches the result of a submitted request, with the rules of the client
(`tinker_ext.rules.polling`). `tensor` and `encode_json` send numpy arrays. docs/low-level.md has
examples.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, cast

from tinker_api import AuthenticatedClient, Client
from tinker_api.api.futures import retrieve_future
from tinker_api.models import FutureRetrieveRequest, TensorData

from tinker_ext import types
from tinker_ext.errors import (
    APIConnectionError,
    APIResponseValidationError,
    DeadlineExceededError,
    GoneError,
    InvalidInputError,
    RequestFailedError,
    status_error,
)
from tinker_ext.rules.polling import (
    POLL_TIMEOUT,
    Failed,
    Gone,
    Malformed,
    PollOutcome,
    QueueState,
    Ready,
    Retry,
    TryAgain,
    classify,
    last_seen,
    poll_delay,
    should_poll_again,
)
from tinker_ext.rules.retry import retry_after_seconds
from tinker_ext.transport.gateway import encode
from tinker_ext.transport.response import read_body

if TYPE_CHECKING:
    import httpx
    import numpy.typing as npt

#: Seconds that `wait_for` waits by default, as `future_timeout` of the client.
DEFAULT_TIMEOUT = 7200.0


class Model(Protocol):
    """A class of `tinker_api.models`."""

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self: ...


M = TypeVar("M", bound=Model)


def encode_json(body: Any) -> bytes:
    """Encodes a request body, for `tinker_api.Client(encode_json=...)`.

    Numpy arrays in it are encoded as lists, without a Python object per number; they must be
    C-contiguous. NaN and infinity become null: `tensor` rejects them.
    """
    return encode(body)


def tensor(array: npt.NDArray[Any]) -> TensorData:
    """Converts an array of any shape to a `TensorData` that holds a copy of it as an array.

    Floating dtypes become float32, integer dtypes int64. The client must have
    `encode_json=tinker_ext.low_level.encode_json`.

    Raises:
        InvalidInputError: the array has another dtype, NaN or infinity.
    """
    numbers = types.TensorData.from_numpy(array)
    position = numbers.first_not_finite()
    if position is not None:
        value = numbers.flat[position]
        raise InvalidInputError(
            f"the value at flat index {position} is {value}, expected a finite number",
            where="array",
        )
    model = numbers.to_api()
    # `to_api` returns a list for a few numbers.
    model.data = cast("list[float]", numbers.flat)
    return model


def wait_for(
    client: AuthenticatedClient | Client,
    request_id: str,
    model: type[M],
    *,
    timeout: float = DEFAULT_TIMEOUT,
) -> M:
    """Polls `retrieve_future` until the result is there, and returns it as `model`.

    Blocks the calling thread. `timeout` is in seconds, pauses included. Failed polls are repeated
    for as long as the client would repeat them. A result that a server sends as protobuf is not
    decoded; servers send one only if the request accepts it.

    Raises:
        RequestFailedError: the server executed the request, and it failed.
        GoneError: the server no longer has the result (410).
        DeadlineExceededError: `timeout` seconds passed without a result.
        APIResponseValidationError: the result is not a `model`, or the responses are malformed.
        APIStatusError, APIConnectionError: polling failed, and repetitions did not help.
    """
    steps = _poll(request_id, model, timeout)
    send = client.get_httpx_client().request
    errors = _connection_errors()
    received: httpx.Response | Exception | None = None
    try:
        while True:
            step = steps.send(received)
            received = None
            if isinstance(step, float):
                time.sleep(step)
                continue
            try:
                received = send(**client.encoded(step))
            except errors as error:
                received = error
    except StopIteration as done:
        return cast("M", done.value)


async def wait_for_async(
    client: AuthenticatedClient | Client,
    request_id: str,
    model: type[M],
    *,
    timeout: float = DEFAULT_TIMEOUT,
) -> M:
    """Same as `wait_for`, without blocking the event loop."""
    steps = _poll(request_id, model, timeout)
    send = client.get_async_httpx_client().request
    errors = _connection_errors()
    received: httpx.Response | Exception | None = None
    while True:
        try:
            step = steps.send(received)
        except StopIteration as done:
            return cast("M", done.value)
        received = None
        if isinstance(step, float):
            await asyncio.sleep(step)
            continue
        try:
            received = await send(**client.encoded(step))
        except errors as error:
            received = error


def _connection_errors() -> type[Exception]:
    import httpx

    return httpx.TransportError


def _poll(
    request_id: str, model: type[M], timeout: float
) -> Generator[dict[str, Any] | float, httpx.Response | Exception | None, M]:
    """Yields requests to send and seconds to sleep; returns the result.

    Is sent the response to a request or the error instead of one, and None after a sleep.
    """
    until = time.monotonic() + timeout
    kind: type[PollOutcome] | None = None
    count, since = 0, 0.0
    while True:
        started = time.monotonic()
        request = retrieve_future.build_request(body=FutureRetrieveRequest(request_id=request_id))
        request["timeout"] = max(0.0, min(POLL_TIMEOUT, until - started))
        received = yield request
        now = time.monotonic()
        outcome, delay = _outcome(received)
        if isinstance(outcome, Ready):
            return _decoded(outcome.body, request_id, model)
        if type(outcome) is not kind:
            kind, count, since = type(outcome), 0, now
        count += 1
        if not should_poll_again(outcome, count, streak=now - since):
            raise _final_error(outcome, received, request_id)
        pause = poll_delay(outcome, count, random.random(), held=now - started, server_delay=delay)
        if now + pause >= until:
            raise DeadlineExceededError(
                "no result",
                last_seen=last_seen(outcome),
                deadline=timeout,
                operation="retrieve_future",
                request_id=request_id,
            )
        yield pause


def _outcome(
    received: httpx.Response | Exception | None,
) -> tuple[PollOutcome, float | None]:
    """The meaning of a response or of its absence, and the delay that its headers request."""
    import httpx

    if isinstance(received, httpx.ReadTimeout):  # The server holds the poll until the result.
        return TryAgain(QueueState.ACTIVE), None
    if not isinstance(received, httpx.Response):
        return Retry(None), None
    delay = retry_after_seconds(received.headers, time.time())
    return classify(received.status_code, read_body(received.content)), delay


def _final_error(
    outcome: PollOutcome, received: httpx.Response | Exception | None, request_id: str
) -> Exception:
    names: dict[str, Any] = {"operation": "retrieve_future", "request_id": request_id}
    match outcome:
        case Failed(message=message, category=category):
            return RequestFailedError(message, category=category, **names)
        case Gone():
            return GoneError("the server no longer has the result", status_code=410, **names)
        case Malformed(why=why):
            return APIResponseValidationError(why, **names)
    if received is None or isinstance(received, Exception):
        return APIConnectionError(f"polling failed: {received}", **names)
    return status_error(
        received.status_code,
        headers=received.headers,
        body=read_body(received.content),
        **names,
    )


def _decoded(body: Any, request_id: str, model: type[M]) -> M:
    try:
        return model.from_dict(body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"the field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise APIResponseValidationError(
            f"the result is not a {model.__name__}: {why}",
            operation="retrieve_future",
            request_id=request_id,
            body=body,
        ) from error
