"""One typed method per operation of the API: the only place that calls generated endpoints."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve, frozen
from tinker_api import Client, models
from tinker_api.api.checkpoints import (
    delete_checkpoint,
    get_checkpoint_archive_url,
    list_checkpoints,
    list_user_checkpoints,
    publish_checkpoint,
    unpublish_checkpoint,
)
from tinker_api.api.futures import retrieve_future
from tinker_api.api.models import create_model, get_info, unload_model
from tinker_api.api.sampling import asample, create_sampling_session
from tinker_api.api.service import get_health, get_server_capabilities
from tinker_api.api.sessions import create_session, session_heartbeat
from tinker_api.api.telemetry import send_telemetry
from tinker_api.api.training import forward, forward_backward, optim_step
from tinker_api.api.training_runs import get_training_run, list_training_runs
from tinker_api.api.weights import load_weights, save_weights, save_weights_for_sampler
from tinker_api.errors import UnexpectedStatus
from tinker_api.types import File

from tinker_ext import tracing
from tinker_ext.errors import APIResponseValidationError
from tinker_ext.rules.dialect import FIRST, Dialect
from tinker_ext.transport.call import Call, calling
from tinker_ext.transport.encoding import UnreadableAnswerError, read_body
from tinker_ext.transport.results import PROTOBUF, ProtobufResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from tinker_api.types import Response

    from tinker_ext.transport.training_data import TrainingData

T = TypeVar("T")

# What parsing an answer of another shape than the specification's may raise.
UNFIT = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)

IDEMPOTENCY_HEADER = "X-Idempotency-Key"
# Seconds; releases 0.4.1 and 0.38.0. A poll is held by the server; a heartbeat must not pile up.
POLL_TIMEOUT = 45.0
HEARTBEAT_TIMEOUT = 10.0
TELEMETRY_TIMEOUT = 5.0
# What the polls of an operation call it; release 0.4.1.
_REQUEST_TYPES = {
    "create_model": "CreateModel",
    "forward": "Forward",
    "forward_backward": "ForwardBackward",
    "optim_step": "OptimStep",
    "save_weights": "SaveWeights",
    "load_weights": "LoadWeights",
    "save_weights_for_sampler": "SaveWeightsForSampler",
    "asample": "Sample",
}
# The operations whose results may come as protobuf; releases 0.25.0 to 0.38.0.
PROTOBUF_RESULTS = frozenset({"asample", "forward", "forward_backward"})
# Asks for a 429 instead of a long queue; releases 0.4.1 to 0.38.0.
_BACKPRESSURE = {"X-Tinker-Sampling-Backpressure": "1"}


@frozen
class Gateway:
    """The API as methods: a value of the generated models, or a typed error. Retries nothing.

    Attributes:
        idempotency_key: sent with whatever changes state; one per logical call, the same on all
            of its attempts.
        dialect: what the server is known to speak; it decides the form of training data.
    """

    client: Client
    idempotency_key: str | None = None
    dialect: Dialect = FIRST

    def keyed(self, idempotency_key: str) -> Gateway:
        """The same gateway for the attempts of one logical call."""
        return evolve(self, idempotency_key=idempotency_key)

    def speaking(self, dialect: Dialect) -> Gateway:
        """The same gateway for a server that speaks `dialect`."""
        return self if dialect == self.dialect else evolve(self, dialect=dialect)

    async def close(self) -> None:
        await self.client.get_async_httpx_client().aclose()

    # Service and sessions

    async def get_server_capabilities(self) -> models.GetServerCapabilitiesResponse:
        call = Call("get_server_capabilities")
        sent = get_server_capabilities.asyncio_detailed(client=self.client)
        return await _value(call, sent, models.GetServerCapabilitiesResponse)

    async def get_health(self) -> models.HealthResponse:
        sent = get_health.asyncio_detailed(client=self.client)
        return await _value(Call("get_health"), sent, models.HealthResponse)

    async def create_session(
        self, body: models.CreateSessionRequest
    ) -> models.CreateSessionResponse:
        sent = create_session.asyncio_detailed(client=self.client, body=body)
        return await _value(self._change("create_session"), sent, models.CreateSessionResponse)

    async def session_heartbeat(self, session_id: str) -> None:
        body = models.SessionHeartbeatRequest(session_id=session_id)
        sent = session_heartbeat.asyncio_detailed(client=self.client, body=body)
        await _answer(self._change("session_heartbeat", timeout=HEARTBEAT_TIMEOUT), sent)

    async def send_telemetry(self, body: models.TelemetrySendRequest) -> None:
        sent = send_telemetry.asyncio_detailed(client=self.client, body=body)
        await _answer(Call("send_telemetry", timeout=TELEMETRY_TIMEOUT), sent)

    # Models and training

    async def create_model(self, body: models.CreateModelRequest) -> models.UntypedAPIFuture:
        sent = create_model.asyncio_detailed(client=self.client, body=body)
        return await _value(self._change("create_model"), sent, models.UntypedAPIFuture)

    async def get_info(self, model_id: str) -> models.GetInfoResponse:
        body = models.GetInfoRequest(model_id=model_id)
        sent = get_info.asyncio_detailed(client=self.client, body=body)
        return await _value(self._change("get_info"), sent, models.GetInfoResponse)

    async def unload_model(self, model_id: str) -> models.UntypedAPIFuture:
        body = models.UnloadModelRequest(model_id=model_id)
        sent = unload_model.asyncio_detailed(client=self.client, body=body)
        return await _value(self._change("unload_model"), sent, models.UntypedAPIFuture)

    async def forward(
        self, data: TrainingData, model_id: str, seq_id: int
    ) -> models.UntypedAPIFuture:
        if self.dialect.forward == "flag":
            return await self.forward_backward(data, model_id, seq_id, forward_only=True)
        body = models.ForwardRequest(forward_input=data.json, model_id=model_id, seq_id=seq_id)
        sent = forward.asyncio_detailed(client=self.client, body=body)
        return await _value(self._change("forward"), sent, models.UntypedAPIFuture)

    async def forward_backward(
        self, data: TrainingData, model_id: str, seq_id: int, *, forward_only: bool = False
    ) -> models.UntypedAPIFuture:
        body: models.ForwardBackwardRequest | File
        if self.dialect.training_body == "protobuf":
            content = await asyncio.to_thread(
                data.protobuf, model_id, seq_id, forward_only=forward_only
            )
            body = File(payload=BytesIO(content))
        else:
            body = models.ForwardBackwardRequest(
                forward_backward_input=data.json, model_id=model_id, seq_id=seq_id
            )
        sent = forward_backward.asyncio_detailed(client=self.client, body=body)
        call = self._change("forward" if forward_only else "forward_backward")
        return await _value(call, sent, models.UntypedAPIFuture)

    async def optim_step(self, body: models.OptimStepRequest) -> models.UntypedAPIFuture:
        sent = optim_step.asyncio_detailed(client=self.client, body=body)
        return await _value(self._change("optim_step"), sent, models.UntypedAPIFuture)

    # Weights

    async def save_weights(self, body: models.SaveWeightsRequest) -> models.UntypedAPIFuture:
        sent = save_weights.asyncio_detailed(client=self.client, body=body)
        return await _value(self._change("save_weights"), sent, models.UntypedAPIFuture)

    async def load_weights(self, body: models.LoadWeightsRequest) -> models.UntypedAPIFuture:
        if "optimizer" in self.dialect.explicit:
            body = evolve(body, optimizer=True)
        sent = load_weights.asyncio_detailed(client=self.client, body=body)
        return await _value(self._change("load_weights"), sent, models.UntypedAPIFuture)

    async def save_weights_for_sampler(
        self, body: models.SaveWeightsForSamplerRequest
    ) -> models.UntypedAPIFuture:
        sent = save_weights_for_sampler.asyncio_detailed(client=self.client, body=body)
        return await _value(self._change("save_weights_for_sampler"), sent, models.UntypedAPIFuture)

    # Sampling and futures

    async def create_sampling_session(
        self, body: models.CreateSamplingSessionRequest
    ) -> models.CreateSamplingSessionResponse:
        sent = create_sampling_session.asyncio_detailed(client=self.client, body=body)
        return await _value(
            self._change("create_sampling_session"), sent, models.CreateSamplingSessionResponse
        )

    async def asample(self, body: models.SampleRequest) -> models.UntypedAPIFuture:
        sent = asample.asyncio_detailed(client=self.client, body=body)
        call = self._change("asample", headers=_BACKPRESSURE)
        return await _value(call, sent, models.UntypedAPIFuture)

    async def retrieve_future(self, request_id: str, *, operation: str, iteration: int) -> Any:
        """One poll: the body as JSON or text, for `rules.polling`, or a `ProtobufResult`."""
        body = models.FutureRetrieveRequest(request_id=request_id)
        sent = retrieve_future.asyncio_detailed(client=self.client, body=body)
        headers = {
            "X-Tinker-Request-Iteration": str(iteration),
            "X-Tinker-Request-Type": _REQUEST_TYPES.get(operation, operation),
        }
        if self.dialect.protobuf_results and operation in PROTOBUF_RESULTS:
            headers["Accept"] = PROTOBUF
        call = self._change("retrieve_future", headers=headers, timeout=POLL_TIMEOUT)
        answer = await _answer(call, sent)
        if answer.headers.get("content-type", "").startswith(PROTOBUF):
            return ProtobufResult(operation, answer.content)
        with tracing.stage(tracing.Stage.DECODE):
            return read_body(answer.content)

    # Training runs and checkpoints

    async def get_training_run(self, training_run_id: str) -> models.TrainingRun:
        sent = get_training_run.asyncio_detailed(training_run_id, client=self.client)
        return await _value(Call("get_training_run"), sent, models.TrainingRun)

    async def list_training_runs(self, limit: int, offset: int) -> models.TrainingRunsResponse:
        sent = list_training_runs.asyncio_detailed(client=self.client, limit=limit, offset=offset)
        return await _value(Call("list_training_runs"), sent, models.TrainingRunsResponse)

    async def list_checkpoints(self, training_run_id: str) -> models.CheckpointsListResponse:
        sent = list_checkpoints.asyncio_detailed(training_run_id, client=self.client)
        return await _value(Call("list_checkpoints"), sent, models.CheckpointsListResponse)

    async def list_user_checkpoints(
        self, limit: int, offset: int
    ) -> models.CheckpointsListResponse:
        sent = list_user_checkpoints.asyncio_detailed(
            client=self.client, limit=limit, offset=offset
        )
        return await _value(Call("list_user_checkpoints"), sent, models.CheckpointsListResponse)

    async def delete_checkpoint(self, run: str, kind: str, name: str) -> None:
        sent = delete_checkpoint.asyncio_detailed(run, kind, name, client=self.client)
        await _answer(self._change("delete_checkpoint"), sent)

    async def publish_checkpoint(self, run: str, kind: str, name: str) -> None:
        sent = publish_checkpoint.asyncio_detailed(run, kind, name, client=self.client)
        await _answer(self._change("publish_checkpoint"), sent)

    async def unpublish_checkpoint(self, run: str, kind: str, name: str) -> None:
        sent = unpublish_checkpoint.asyncio_detailed(run, kind, name, client=self.client)
        await _answer(self._change("unpublish_checkpoint"), sent)

    async def get_checkpoint_archive_url(self, run: str, kind: str, name: str) -> Mapping[str, str]:
        """The headers of the redirect: `location`, and `expires` where the server says."""
        sent = get_checkpoint_archive_url.asyncio_detailed(run, kind, name, client=self.client)
        call = Call("get_checkpoint_archive_url", redirect_is_answer=True)
        return (await _answer(call, sent)).headers

    def _change(
        self,
        operation: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Call:
        """A call that changes state, or is sent as if it did: with the idempotency key."""
        merged = dict(headers or {})
        if self.idempotency_key is not None:
            merged[IDEMPOTENCY_HEADER] = self.idempotency_key
        return Call(operation, headers=merged, timeout=timeout)


async def _answer(call: Call, sent: Awaitable[Response[Any]]) -> Response[Any]:
    with calling(call):
        try:
            return await sent
        except UnreadableAnswerError as error:
            error.operation = call.operation
            raise
        except (*UNFIT, UnexpectedStatus) as error:
            raise APIResponseValidationError(
                f"the answer can't be read: {type(error).__name__}: {error}",
                operation=call.operation,
            ) from error


async def _value(call: Call, sent: Awaitable[Response[Any]], kind: type[T]) -> T:
    value = (await _answer(call, sent)).parsed
    if not isinstance(value, kind):
        raise APIResponseValidationError(
            f"the answer is no {kind.__name__}", operation=call.operation
        )
    return value
