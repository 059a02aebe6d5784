"""Sampling, and the results of submitted requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen
from tinker_api import models
from tinker_api.api.futures import cancel_future, retrieve_future, retrieve_futures
from tinker_api.api.sampling import asample, create_sampling_session, join_sampling_session
from tinker_api.types import UNSET

from tinker_ext import tracing
from tinker_ext.transport.encoding import read_body
from tinker_ext.transport.operations.base import Operations
from tinker_ext.transport.results import PROTOBUF, ProtobufResult
from tinker_ext.transport.training_data import adapt_images

if TYPE_CHECKING:
    from collections.abc import Sequence

# Seconds; releases 0.4.1 and 0.38.0. The server may hold a poll until the result is ready.
POLL_TIMEOUT = 45.0
# Seconds; release 0.38.0. For an acknowledgement without a poll, and for a cancellation.
REPORT_TIMEOUT = 5.0
CANCEL_TIMEOUT = 30.0
# Names of the operations in the header X-Tinker-Request-Type; releases 0.4.1 and 0.38.0.
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
# Operations whose results a server may send as protobuf; releases 0.25.0 to 0.38.0.
PROTOBUF_RESULTS = frozenset({"asample", "forward", "forward_backward"})
# Requests a 429 instead of a long queue; releases 0.4.1 to 0.38.0.
_BACKPRESSURE = {"X-Tinker-Sampling-Backpressure": "1"}


@frozen
class SamplingOperations(Operations):
    """Sampling, and polls for results."""

    async def create_sampling_session(
        self, body: models.CreateSamplingSessionRequest
    ) -> models.CreateSamplingSessionResponse:
        call = self.mutating_call("create_sampling_session")
        return await self.send_for(
            models.CreateSamplingSessionResponse, call, create_sampling_session, body=body
        )

    async def join_sampling_session(self, sampling_session_id: str) -> object:
        """The id that the server assigns to this client within the sampling session."""
        body = models.JoinSamplingSessionRequest(sampling_session_id=sampling_session_id)
        call = self.mutating_call("join_sampling_session")
        response = await self.send_for(
            models.JoinSamplingSessionResponse, call, join_sampling_session, body=body
        )
        return response.client_counter

    async def asample(self, body: models.SampleRequest) -> models.UntypedAPIFuture:
        prompt = adapt_images(body.prompt, self.protocol.images_of("asample"), "prompt")
        if prompt is not body.prompt:
            body = evolve(body, prompt=prompt)
        call = self.mutating_call("asample", headers=_BACKPRESSURE)
        return await self.send_for(models.UntypedAPIFuture, call, asample, body=body)

    async def retrieve_future(
        self, request_id: str, *, operation: str, iteration: int, whole: bool = True
    ) -> Any:
        """One poll: the body as JSON or text, for `rules.polling`, or a `ProtobufResult`.

        If `whole` is false, the server may send the size of a large result instead of the result.
        """
        body = models.FutureRetrieveRequest(request_id=request_id)
        if self.protocol.sends("retrieve_future", "allow_metadata_only"):
            body.allow_metadata_only = not whole
        headers = {
            "X-Tinker-Request-Iteration": str(iteration),
            "X-Tinker-Request-Type": _REQUEST_TYPES.get(operation, operation),
        }
        if self.protocol.protobuf_results and operation in PROTOBUF_RESULTS:
            headers["Accept"] = PROTOBUF
        call = self.mutating_call("retrieve_future", headers=headers, timeout=POLL_TIMEOUT)
        response = await self.send(call, retrieve_future, body=body)
        if response.headers.get("content-type", "").startswith(PROTOBUF):
            return ProtobufResult(operation, response.content)
        with tracing.stage(tracing.Stage.DECODE):
            return read_body(response.content)

    async def retrieve_futures(
        self,
        sampling_session_id: str,
        client_counter: int,
        cursor: int,
        *,
        fetched: Sequence[str],
        wait: bool,
    ) -> Any:
        """The requests completed since `cursor`, as JSON, for `rules.completions`.

        `fetched` are the ids of requests whose results the server may drop; they are sent if it
        accepts them. With `wait` the server may hold the request until there is a completion.
        """
        body = models.FuturesRetrieveRequest(
            target=models.SamplingSessionFuturesTarget(
                sampling_session_id=sampling_session_id, cloned_sampler_id=client_counter
            ),
            prev_cursor=cursor,
            timeout=UNSET if wait else 0,
        )
        if self.protocol.sends("retrieve_futures", "retrieved_request_ids"):
            body.retrieved_request_ids = list(fetched)
        timeout = POLL_TIMEOUT if wait else REPORT_TIMEOUT
        call = self.mutating_call("retrieve_futures", timeout=timeout)
        response = await self.send(call, retrieve_futures, body=body)
        return read_body(response.content)

    async def cancel_future(self, request_id: str) -> None:
        body = models.CancelFutureRequest(request_id=request_id)
        call = self.mutating_call("cancel_future", timeout=CANCEL_TIMEOUT)
        await self.send(call, cancel_future, body=body)
