"""The operations of the API: how each is sent, and what depends on the server.

Each is called with the arguments that the specification gives it, and returns a `Request`. Most
need no more than that; this module adds what depends on a server's protocol, and timeouts.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from functools import cache, partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, NoReturn, cast

from attrs import evolve
from tinker_api import endpoints as api
from tinker_api import models
from tinker_api.types import UNSET, File

from tinker_ext import tracing
from tinker_ext.config.parsers import read_secret
from tinker_ext.errors import APIError, APIResponseValidationError, APIStatusError
from tinker_ext.protocol.flags import RELEASES
from tinker_ext.rules.polling import POLL_TIMEOUT
from tinker_ext.rules.retry import PERMANENT_5XX, RETRIED_STATUSES, parse_should_retry
from tinker_ext.transport.request import Operation, Request, Response
from tinker_ext.transport.results import PROTOBUF, ProtobufResult
from tinker_ext.transport.training_data import adapt_images
from tinker_ext.version import sdk_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tinker_ext.protocol.server_protocol import ServerProtocol
    from tinker_ext.redaction.secret import Secret
    from tinker_ext.transport.training_data import TrainingData

# All in seconds. Releases 0.4.1 and 0.38.0. Heartbeats must not pile up.
HEARTBEAT_TIMEOUT = 10.0
TELEMETRY_TIMEOUT = 5.0
# Release 0.38.0. For an acknowledgement without a poll, for a cancellation, and for the flags.
REPORT_TIMEOUT = 5.0
CANCEL_TIMEOUT = 30.0
CONFIG_TIMEOUT = 10.0
# Ours. `close()` waits for the end of the session.
FINISH_TIMEOUT = 5.0
#: Bytes of a training body that the event loop copies itself, in less than a millisecond; ours. For
#: a small step, another thread would take longer to start than to copy.
SMALL_BODY = 64 * 1024
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
_PROTOBUF_ACCEPTED = {"Accept": PROTOBUF}
# Grants read access to weights of another owner; release 0.38.0.
ACCESS_TOKEN_HEADER = "X-Tinker-Weights-Access-Token"
# zstd (RFC 8878, section 7.2), as 0.38.0 sends it.
_COMPRESSED = {"Content-Encoding": "zstd"}
#: The operation's name in its errors.
TOKEN_OPERATION = "create_auth_token"
# Rejections of the key itself; they reach the caller.
_KEY_REJECTED = frozenset({401, 402, 403})


def _json_object(response: Response) -> Any:
    body = response.json()
    if not isinstance(body, dict):
        raise TypeError(f"expected a JSON object, got {type(body).__name__}")
    return body


# The service, its sessions, and telemetry.


def _with_sdk_version(body: models.CreateSessionRequest, protocol: ServerProtocol) -> Any:
    return evolve(body, sdk_version=sdk_version(protocol.release))


def _with_process(body: models.TelemetrySendRequest, protocol: ServerProtocol) -> Any:
    body = evolve(body, sdk_version=sdk_version(protocol.release))
    if protocol.sends("send_telemetry", "process_uuid"):
        body.process_uuid = _process_uuid(os.getpid())
    return body


@cache
def _process_uuid(pid: int) -> str:
    """Distinguishes the processes that share a session; a forked process gets its own."""
    return str(uuid.uuid4())


_get_client_config = Operation(api.get_client_config, credential="key").parsed_by(_json_object)
_get_client_dynamic_config = Operation(api.get_client_dynamic_config).parsed_by(_json_object)
get_server_capabilities = Operation(api.get_server_capabilities)
get_health = Operation(api.get_health)
create_session = Operation(api.create_session, adapt=_with_sdk_version)
session_heartbeat = Operation(api.session_heartbeat, timeout=HEARTBEAT_TIMEOUT)
finish_session = Operation(api.finish_session, timeout=FINISH_TIMEOUT)
send_telemetry = Operation(
    api.send_telemetry, adapt=_with_process, timeout=TELEMETRY_TIMEOUT, keyed=False
)
get_session = Operation(api.get_session)
list_sessions = Operation(api.list_sessions)
search_sessions = Operation(api.search_sessions)
set_session_project = Operation(api.set_session_project)
get_session_trace_export = Operation(api.get_session_trace_export)
get_sampler = Operation(api.get_sampler)


def get_client_config() -> Request[Any]:
    """The server's flags for clients, as decoded JSON. Sends the user's own key."""
    return _config_request(_get_client_config)


def get_client_dynamic_config() -> Request[Any]:
    """The flags that may change while a client runs, as decoded JSON."""
    return _config_request(_get_client_dynamic_config)


def _config_request(operation: Operation[..., Any]) -> Request[Any]:
    request = operation(body=models.ClientConfigRequest(sdk_version=sdk_version(RELEASES[-1])))
    request.timeout = CONFIG_TIMEOUT
    return request


# The API key itself: its description, its deletion, and its exchange for a token.

get_own_api_key = Operation(api.get_own_api_key, credential="key")
delete_own_api_key = Operation(api.delete_own_api_key, credential="key", keyed=True)

_create_auth_token = Operation(api.create_auth_token, credential="key", returns_secret=True)


def create_auth_token() -> Request[models.AuthTokenResponse]:
    """Exchanges the API key for a token, which replaces it in later requests: see `read_token`.

    Raises when it is sent:
        AuthenticationError: the key is rejected.
        APIResponseValidationError: the server has no such operation, or its response has no token.
            The error shows no part of the response.
    """
    request = _create_auth_token(body=models.AuthTokenRequest())
    request.on_error = _without_token
    return request


def read_token(
    request: Request[models.AuthTokenResponse], response: models.AuthTokenResponse
) -> Secret:
    """The token that the server issued.

    Raises:
        APIResponseValidationError: it is not valid in a header.
    """
    try:
        return read_secret(response.jwt)
    except ValueError as error:
        raise APIResponseValidationError(
            f"the token in the response is not usable: {error}",
            operation=TOKEN_OPERATION,
            request_id=request.request_id,
        ) from None


def _without_token(error: APIError) -> NoReturn:
    """Raises the error of a failed exchange."""
    if isinstance(error, APIStatusError):
        if _is_about_this_request(error.status_code) or parse_should_retry(error.headers):
            raise error
        # Not an APIStatusError: that would be taken for the response to the request that needs the
        # token.
        raise APIResponseValidationError(
            f"the server requires tokens but issued none: {error.message}",
            status_code=error.status_code,
            operation=TOKEN_OPERATION,
            request_id=error.request_id,
        ) from None
    if isinstance(error, APIResponseValidationError):
        # Keeps the class: a malformed body is retried.
        raise type(error)(
            "the response has no token",
            status_code=error.status_code,
            operation=TOKEN_OPERATION,
            request_id=error.request_id,
        ) from None
    raise error


def _is_about_this_request(status: int) -> bool:
    """Whether a status rejects this key, or is temporary; others mean that there are no tokens."""
    if status in _KEY_REJECTED | RETRIED_STATUSES:
        return True
    return status >= 500 and status not in PERMANENT_5XX


# Models and their training.

create_model = Operation(api.create_model)
get_info = Operation(api.get_info)
unload_model = Operation(api.unload_model)
create_custom_loss = Operation(api.create_custom_loss)
optim_step = Operation(api.optim_step)
forward = Operation(api.forward)
forward_backward = Operation(api.forward_backward)


class TrainingRequest(Request[models.UntypedAPIFuture]):
    """A `forward` or `forward_backward`, in the encoding that the server accepts."""

    __slots__ = ("_by_flag", "_content", "_data", "_model_id", "_seq_id")

    def __init__(self, data: TrainingData, model_id: str, *, forward_only: bool) -> None:
        super().__init__(forward if forward_only else forward_backward)
        self._data = data
        self._model_id = model_id
        self._seq_id = 0
        self._content: bytes | None = None
        self.size = len(data)

    needs_preparation = True

    def number(self, seq_id: int) -> None:
        self._seq_id = seq_id

    async def prepare(self, protocol: ServerProtocol) -> None:
        self._content = None
        if self._is_protobuf(protocol):
            encode = partial(
                self._data.protobuf,
                self._model_id,
                self._seq_id,
                forward_only=self._forward_only,
                compress=protocol.compresses,
            )
            if self.size <= SMALL_BODY:
                self._content = encode()
            else:
                # Not as the result of the thread's future: that refers to itself, and would keep
                # the body until the garbage collection.
                encoded: list[bytes] = []
                await asyncio.to_thread(lambda: encoded.append(encode()))
                self._content = encoded.pop()

    def build(self, protocol: ServerProtocol) -> dict[str, Any]:
        numbered: dict[str, Any] = {"model_id": self._model_id, "seq_id": self._seq_id}
        self.headers = {}
        # The batch keeps this request until its result is there. Its body would stay in memory.
        content, self._content = self._content, None
        if content is not None:
            self.headers = _COMPRESSED if protocol.compresses else {}
            return api.forward_backward.build_request(body=File(payload=BytesIO(content)))
        data = self._data.json(protocol)
        if self._forward_only:
            return api.forward.build_request(
                body=models.ForwardRequest(forward_input=data, **numbered)
            )
        return api.forward_backward.build_request(
            body=models.ForwardBackwardRequest(forward_backward_input=data, **numbered)
        )

    @property
    def _forward_only(self) -> bool:
        return self.operation is forward

    def _is_protobuf(self, protocol: ServerProtocol) -> bool:
        if self._forward_only:
            return protocol.forward == "flag"
        return protocol.training_body == "protobuf"


# Weights.


def _with_optimizer(body: models.LoadWeightsRequest, protocol: ServerProtocol) -> Any:
    if protocol.sends("load_weights", "optimizer") and body.optimizer is UNSET:
        return evolve(body, optimizer=True)
    return body


save_weights = Operation(api.save_weights)
load_weights = Operation(api.load_weights, adapt=_with_optimizer)
save_weights_for_sampler = Operation(api.save_weights_for_sampler)
save_weights_external = Operation(api.save_weights_external)
get_weights_info = Operation(api.get_weights_info)
_copy_weights = Operation(api.copy_weights)


def copy_weights(
    body: models.CopyWeightsRequest, access_token: str | None
) -> Request[models.CopyWeightsResponse]:
    """Sends the access token in a header, as release 0.38.0 does; it is redacted everywhere."""
    request = _copy_weights(body=body).with_secret(access_token)
    request.headers = {} if access_token is None else {ACCESS_TOKEN_HEADER: access_token}
    return request


# Sampling, and the results of submitted requests.


def _with_images(body: models.SampleRequest, protocol: ServerProtocol) -> models.SampleRequest:
    prompt = adapt_images(body.prompt, protocol.images_of("asample"), "prompt")
    return body if prompt is body.prompt else evolve(body, prompt=prompt)


create_sampling_session = Operation(api.create_sampling_session)
join_sampling_session = Operation(api.join_sampling_session)
asample = Operation(
    api.asample,
    adapt=_with_images,
    # Requests a 429 instead of a long queue; releases 0.4.1 to 0.38.0.
    headers={"X-Tinker-Sampling-Backpressure": "1"},
)
cancel_future = Operation(api.cancel_future, timeout=CANCEL_TIMEOUT)


_retrieve_future = Operation(api.retrieve_future)


def _with_acknowledgements(body: models.FuturesRetrieveRequest, protocol: ServerProtocol) -> Any:
    if protocol.sends("retrieve_futures", "retrieved_request_ids"):
        return body
    return evolve(body, retrieved_request_ids=UNSET)


_retrieve_futures = Operation(api.retrieve_futures, adapt=_with_acknowledgements).parsed_by(
    _json_object
)


class PollRequest(Request[Any]):
    """One poll for the result of `request_id`; the server may hold it until the result is ready.

    Its value is the body as JSON or text, for `rules.polling`, or a `ProtobufResult`. If `whole` is
    false, the server may send the size of a large result instead of the result.
    """

    __slots__ = ("_request_id", "_result_of", "_whole")

    def __init__(self, request_id: str, result_of: str, iteration: int, *, whole: bool) -> None:
        super().__init__(_retrieve_future)
        self.timeout = POLL_TIMEOUT
        self._request_id = request_id
        self._result_of = result_of
        self._whole = whole
        self.keywords = {
            "x_tinker_request_iteration": str(iteration),
            "x_tinker_request_type": _REQUEST_TYPES.get(result_of, result_of),
        }

    def build(self, protocol: ServerProtocol) -> dict[str, Any]:
        body = models.FutureRetrieveRequest(request_id=self._request_id)
        if protocol.sends("retrieve_future", "allow_metadata_only"):
            body.allow_metadata_only = not self._whole
        protobuf = protocol.protobuf_results and self._result_of in PROTOBUF_RESULTS
        self.headers = _PROTOBUF_ACCEPTED if protobuf else {}
        return api.retrieve_future.build_request(body=body, **self.keywords)

    def parse(self, response: Response) -> Any:
        if response.content_type.startswith(PROTOBUF):
            return ProtobufResult(self._result_of, response.content)
        if tracing.observed_operation.get() is None:
            return response.json_or_text()
        with tracing.stage(tracing.Stage.DECODE):
            return response.json_or_text()


def retrieve_futures(
    sampling_session_id: str,
    client_counter: int,
    cursor: int,
    *,
    fetched: Sequence[str],
    wait: bool,
) -> Request[Any]:
    """The requests completed since `cursor`, as JSON, for `rules.completions`.

    `fetched` are the ids of requests whose results the server may drop; they are sent if it accepts
    them. With `wait` the server may hold the request until there is a completion.
    """
    request = _retrieve_futures(
        body=models.FuturesRetrieveRequest(
            target=models.SamplingSessionFuturesTarget(
                sampling_session_id=sampling_session_id, cloned_sampler_id=client_counter
            ),
            prev_cursor=cursor,
            timeout=UNSET if wait else 0,
            retrieved_request_ids=list(fetched),
        )
    )
    request.timeout = POLL_TIMEOUT if wait else REPORT_TIMEOUT
    return request


# Training runs and checkpoints.

get_training_run = Operation(api.get_training_run)
list_training_runs = Operation(api.list_training_runs)
list_checkpoints = Operation(api.list_checkpoints)
list_user_checkpoints = Operation(api.list_user_checkpoints)
delete_checkpoint = Operation(api.delete_checkpoint)
publish_checkpoint = Operation(api.publish_checkpoint)
unpublish_checkpoint = Operation(api.unpublish_checkpoint)
set_checkpoint_ttl = Operation(api.set_checkpoint_ttl)
get_external_weights_urls = Operation(api.get_external_weights_urls)


def _archive(response: Response) -> Mapping[str, str] | models.CheckpointArchiveUrlResponse:
    if response.status_code == 302:
        return response.headers
    body: Any = api.get_checkpoint_archive_url.parse_response(response)
    return cast("models.CheckpointArchiveUrlResponse", body)


# The idempotency key lets the server recognize a repeated request.
_get_checkpoint_archive_url = Operation(
    api.get_checkpoint_archive_url, accepts_redirect=True, keyed=True
).parsed_by(_archive)


def get_checkpoint_archive_url(
    run: str, kind: str, name: str, *, timeout: float
) -> Request[Mapping[str, str] | models.CheckpointArchiveUrlResponse]:
    """The headers of the redirect (`location`, `expires`), or the body of a success.

    The server may pack the archive before it responds, for up to `timeout` seconds.
    """
    request = _get_checkpoint_archive_url(run, kind, name)
    request.timeout = timeout
    return request


# Operations for administrators.

#: Follows a redirect to the storage that holds the log.
get_audit_log = Operation(api.get_audit_log, follows_redirect=True)
get_billing_usage = Operation(api.get_billing_usage)
get_checkpoint_storage_usage = Operation(api.get_checkpoint_storage_usage)
