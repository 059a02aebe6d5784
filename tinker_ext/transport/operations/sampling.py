"""Samples, and the results of whatever was submitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen
from tinker_api import models
from tinker_api.api.futures import cancel_future, retrieve_future, retrieve_futures
from tinker_api.api.sampling import asample, create_sampling_session, join_sampling_session
from tinker_api.types import UNSET

from tinker_ext import tracing
from tinker_ext.transport.encoding import read_body
from tinker_ext.transport.images import with_images_as
from tinker_ext.transport.operations.base import Operations, send, send_for
from tinker_ext.transport.results import PROTOBUF, ProtobufResult

if TYPE_CHECKING:
    from collections.abc import Sequence

# Seconds; releases 0.4.1 and 0.38.0. A poll is held by the server.
POLL_TIMEOUT = 45.0
# Seconds; release 0.38.0. A report that asks for nothing, and a request to give up another.
REPORT_TIMEOUT = 5.0
CANCEL_TIMEOUT = 30.0
# What the polls of an operation call it; releases 0.4.1 and 0.38.0.
_REQUEST_TYPES = {
    "create_custom_loss": "CreateCustomLoss",
    "create_model": "CreateModel",
    "forward": "Forward",
    "forward_backward": "ForwardBackward",
    "optim_step": "OptimStep",
    "save_weights": "SaveWeights",
    "load_weights": "LoadWeights",
    "save_weights_for_sampler": "SaveWeightsForSampler",
    "save_weights_external": "SaveWeightsExternal",
    "asample": "Sample",
}
# The operations whose results may come as protobuf; releases 0.25.0 to 0.38.0.
PROTOBUF_RESULTS = frozenset({"asample", "forward", "forward_backward"})
# Asks for a 429 instead of a long queue; releases 0.4.1 to 0.38.0.
_BACKPRESSURE = {"X-Tinker-Sampling-Backpressure": "1"}


@frozen
class SamplingOperations(Operations):
    """Sampling, and fetching results."""

    async def create_sampling_session(
        self, body: models.CreateSamplingSessionRequest
    ) -> models.CreateSamplingSessionResponse:
        sent = create_sampling_session.asyncio_detailed(client=self.client, body=body)
        return await send_for(
            self.change("create_sampling_session"), sent, models.CreateSamplingSessionResponse
        )

    async def join_sampling_session(self, sampling_session_id: str) -> object:
        """The number under which the server counts this client of the sampling session."""
        body = models.JoinSamplingSessionRequest(sampling_session_id=sampling_session_id)
        sent = join_sampling_session.asyncio_detailed(client=self.client, body=body)
        call = self.change("join_sampling_session")
        return (await send_for(call, sent, models.JoinSamplingSessionResponse)).client_counter

    async def asample(self, body: models.SampleRequest) -> models.UntypedAPIFuture:
        prompt = with_images_as(body.prompt, self.dialect.images, "prompt")
        if prompt is not body.prompt:
            body = evolve(body, prompt=prompt)
        sent = asample.asyncio_detailed(client=self.client, body=body)
        call = self.change("asample", headers=_BACKPRESSURE)
        return await send_for(call, sent, models.UntypedAPIFuture)

    async def retrieve_future(
        self, request_id: str, *, operation: str, iteration: int, whole: bool = True
    ) -> Any:
        """One poll: the body as JSON or text, for `rules.polling`, or a `ProtobufResult`.

        Unless it is to be `whole`, a server may tell the size of a large result instead.
        """
        body = models.FutureRetrieveRequest(request_id=request_id)
        if self.dialect.sends("retrieve_future", "allow_metadata_only"):
            body.allow_metadata_only = not whole
        sent = retrieve_future.asyncio_detailed(client=self.client, body=body)
        headers = {
            "X-Tinker-Request-Iteration": str(iteration),
            "X-Tinker-Request-Type": _REQUEST_TYPES.get(operation, operation),
        }
        if self.dialect.protobuf_results and operation in PROTOBUF_RESULTS:
            headers["Accept"] = PROTOBUF
        call = self.change("retrieve_future", headers=headers, timeout=POLL_TIMEOUT)
        found = await send(call, sent)
        if found.headers.get("content-type", "").startswith(PROTOBUF):
            return ProtobufResult(operation, found.content)
        with tracing.stage(tracing.Stage.DECODE):
            return read_body(found.content)

    async def retrieve_futures(
        self,
        sampling_session_id: str,
        client_counter: int,
        cursor: int,
        *,
        fetched: Sequence[str],
        wait: bool,
    ) -> Any:
        """Which requests have ended since `cursor`, as JSON, for `rules.completions`.

        `fetched` are requests whose results the server may drop, where it wants to know. With
        `wait` it may hold the question until there is something to tell.
        """
        body = models.FuturesRetrieveRequest(
            target=models.SamplingSessionFuturesTarget(
                sampling_session_id=sampling_session_id, cloned_sampler_id=client_counter
            ),
            prev_cursor=cursor,
            timeout=UNSET if wait else 0,
        )
        if self.dialect.sends("retrieve_futures", "retrieved_request_ids"):
            body.retrieved_request_ids = list(fetched)
        sent = retrieve_futures.asyncio_detailed(client=self.client, body=body)
        timeout = POLL_TIMEOUT if wait else REPORT_TIMEOUT
        found = await send(self.change("retrieve_futures", timeout=timeout), sent)
        return read_body(found.content)

    async def cancel_future(self, request_id: str) -> None:
        body = models.CancelFutureRequest(request_id=request_id)
        sent = cancel_future.asyncio_detailed(client=self.client, body=body)
        await send(self.change("cancel_future", timeout=CANCEL_TIMEOUT), sent)
