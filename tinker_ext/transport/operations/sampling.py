"""Samples, and the results of whatever was submitted."""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen
from tinker_api import models
from tinker_api.api.futures import retrieve_future
from tinker_api.api.sampling import asample, create_sampling_session

from tinker_ext import tracing
from tinker_ext.transport.encoding import read_body
from tinker_ext.transport.images import with_images_as
from tinker_ext.transport.operations.base import Operations, answer, value
from tinker_ext.transport.results import PROTOBUF, ProtobufResult

# Seconds; releases 0.4.1 and 0.38.0. A poll is held by the server.
POLL_TIMEOUT = 45.0
# What the polls of an operation call it; release 0.4.1.
_REQUEST_TYPES = {
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
        return await value(
            self.change("create_sampling_session"), sent, models.CreateSamplingSessionResponse
        )

    async def asample(self, body: models.SampleRequest) -> models.UntypedAPIFuture:
        prompt = with_images_as(body.prompt, self.dialect.images, "prompt")
        if prompt is not body.prompt:
            body = evolve(body, prompt=prompt)
        sent = asample.asyncio_detailed(client=self.client, body=body)
        call = self.change("asample", headers=_BACKPRESSURE)
        return await value(call, sent, models.UntypedAPIFuture)

    async def retrieve_future(
        self, request_id: str, *, operation: str, iteration: int, whole: bool = True
    ) -> Any:
        """One poll: the body as JSON or text, for `rules.polling`, or a `ProtobufResult`.

        Unless it is to be `whole`, a server may tell the size of a large result instead.
        """
        body = models.FutureRetrieveRequest(request_id=request_id)
        if self.dialect.tells("retrieve_future", "allow_metadata_only"):
            body.allow_metadata_only = not whole
        sent = retrieve_future.asyncio_detailed(client=self.client, body=body)
        headers = {
            "X-Tinker-Request-Iteration": str(iteration),
            "X-Tinker-Request-Type": _REQUEST_TYPES.get(operation, operation),
        }
        if self.dialect.protobuf_results and operation in PROTOBUF_RESULTS:
            headers["Accept"] = PROTOBUF
        call = self.change("retrieve_future", headers=headers, timeout=POLL_TIMEOUT)
        found = await answer(call, sent)
        if found.headers.get("content-type", "").startswith(PROTOBUF):
            return ProtobufResult(operation, found.content)
        with tracing.stage(tracing.Stage.DECODE):
            return read_body(found.content)
