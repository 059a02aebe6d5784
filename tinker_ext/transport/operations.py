"""The operations of the API, and the request object that travels from the client to the wire.

Each operation is called with the arguments that the specification gives it, and returns a
`Request`. Most need no more than that; this module adds what depends on a server's protocol, and
timeouts.
"""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import cache, cached_property
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Literal,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
)

from attrs import Factory, define, evolve
from tinker_api import endpoints as api
from tinker_api import models
from tinker_api.types import UNSET, Unset

from tinker_ext import tracing
from tinker_ext.errors import APIError, InvalidInputError
from tinker_ext.protocol.server_protocol import RELEASES, ServerProtocol
from tinker_ext.redaction.redactor import LONGEST_ID, REQUEST_ID, kept_headers
from tinker_ext.redaction.secret import Secret, remembered
from tinker_ext.rules.polling import POLL_TIMEOUT
from tinker_ext.transport.response import PROTOBUF, MalformedBodyError, ProtobufResult, Response
from tinker_ext.types.inputs.model_input import ImageForm
from tinker_ext.version import sdk_version

if TYPE_CHECKING:
    from tinker_api.received import ReceivedResponse

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
T_co = TypeVar("T_co", covariant=True)

# All in seconds. Releases 0.4.1 and 0.38.0. Heartbeats must not pile up.
HEARTBEAT_TIMEOUT = 10.0
TELEMETRY_TIMEOUT = 5.0
# Release 0.38.0. For an acknowledgement without a poll, for a cancellation, and for the flags.
REPORT_TIMEOUT = 5.0
CANCEL_TIMEOUT = 30.0
CONFIG_TIMEOUT = 10.0
# Ours. `close()` waits for the end of the session.
FINISH_TIMEOUT = 5.0
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
_NO_HEADERS: Mapping[str, str] = {}
# Grants read access to weights of another owner; release 0.38.0.
ACCESS_TOKEN_HEADER = "X-Tinker-Weights-Access-Token"
#: The types of chunks whose fields differ between servers.
_IMAGES = frozenset({models.ImageChunk, models.ImageAssetPointerChunk})

#: The credential of a request: the current one (a token, if the server issues them), or the key.
Credential = Literal["current", "key"]


class Endpoint(Protocol[P, T_co]):
    """A generated endpoint module: one function builds the request, one parses the response."""

    __name__: str

    def build_request(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]: ...

    def parse_response(self, response: ReceivedResponse) -> T_co: ...


@define(slots=False, eq=False, repr=False)
class Operation(Generic[P, T]):
    """An operation of the API. Calling it with the operation's arguments returns a `Request`.

    Attributes:
        endpoint: the generated module; imported on first use of `build`, `parse` or `keyed`.
        adapt: changes the body for a server that accepts `protocol`.
        headers: sent with every request.
        timeout: seconds; None for that of the client.
        credential: "key" for the requests that precede a token: the configuration, the exchange.
        accepts_redirect: a redirect is a success: its headers are the result.
        follows_redirect: a redirect to storage is followed, without credentials.
        returns_secret: a successful response is not redacted: a secret is what was requested.
    """

    endpoint: Endpoint[P, T]
    adapt: Callable[[Any, ServerProtocol], Any] | None = None
    headers: Mapping[str, str] = _NO_HEADERS
    timeout: float | None = None
    _keyed: bool | None = None
    credential: Credential = "current"
    accepts_redirect: bool = False
    follows_redirect: bool = False
    returns_secret: bool = False

    @cached_property
    def name(self) -> str:
        """The operation's id."""
        return self.endpoint.__name__.rpartition(".")[2]

    @cached_property
    def build(self) -> Callable[..., dict[str, Any]]:
        """Returns the method, URL, parameters, headers and body of a request."""
        return self.endpoint.build_request

    @cached_property
    def parse(self) -> Callable[[Response], T]:
        """Returns the value of a response."""
        return self.endpoint.parse_response

    @cached_property
    def keyed(self) -> bool:
        """Whether the idempotency key of a call is sent; as the specification says, unless set."""
        specified = "x_idempotency_key" in (self.build.__kwdefaults__ or {})
        return specified if self._keyed is None else self._keyed

    def parsed_by(self, parse: Callable[[Response], U]) -> Operation[P, U]:
        """This operation, with another parser of successes."""
        operation: Operation[P, Any] = self
        operation.parse = parse
        return operation

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Request[T]:
        return Request(self, args, kwargs)

    def __repr__(self) -> str:
        return f"<Operation {self.name}>"


@define(eq=False, repr=False)
class Request(Generic[T]):
    """One call of an operation, and what the attempts to send it share.

    Attributes:
        operation: the operation; knows how to build the request and to parse the response.
        headers: sent in addition to those of the operation.
        timeout: seconds of one attempt; None for that of the operation.
        secrets: redacted in the response, besides the credentials of every request.
        size: the approximate number of bytes of the body, for budgets.
        idempotency_key: the same for all attempts; None if the server need not recognize them.
        on_error: returns a value in place of an error of an attempt, or raises.
        sent: whether an attempt to send it has begun; then the server may have received it.
        response: the last response, for errors raised after it was received.
    """

    operation: Operation[Any, T]
    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] = Factory(dict)
    headers: Mapping[str, str] = _NO_HEADERS
    timeout: float | None = None
    secrets: tuple[Secret, ...] = ()
    size: int = 0
    idempotency_key: str | None = None
    sent: bool = False
    on_error: Callable[[APIError], T] | None = None
    response: Response | None = None

    def number(self, seq_id: int) -> None:
        """Set the sequence number of its body."""
        self.keywords["body"].seq_id = seq_id

    #: Whether to await `prepare` before `build`.
    needs_preparation: ClassVar[bool] = False

    async def prepare(self, protocol: ServerProtocol) -> None:
        """Do work of `build` that would block the event loop."""

    def build(self, protocol: ServerProtocol) -> dict[str, Any]:
        """The method, URL, parameters, headers and body for a server that accepts `protocol`."""
        operation, keywords = self.operation, self.keywords
        if operation.adapt is not None:
            keywords = {**keywords, "body": operation.adapt(keywords["body"], protocol)}
        return operation.build(*self.arguments, **keywords)

    def parse(self, response: Response) -> T:
        """The value of a success."""
        return self.operation.parse(response)

    def with_secret(self, secret: str | None) -> Request[T]:
        """This request, which contains a credential in its body or headers."""
        if secret is not None:
            self.secrets = remembered([secret])
        return self

    @property
    def request_id(self) -> str | None:
        """The id that the last response has for its request, redacted."""
        if self.response is None or (value := self.response.headers.get(REQUEST_ID)) is None:
            return None
        return kept_headers({REQUEST_ID: value[:LONGEST_ID]})[REQUEST_ID]

    def __repr__(self) -> str:
        return f"<Request {self.operation.name}>"


# Not `os.urandom`, a system call during which another thread takes the interpreter lock.
_random = random.Random()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def new_idempotency_key() -> str:
    """A random UUID (version 4), different in each process."""
    return str(uuid.UUID(int=_random.getrandbits(128), version=4))


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

#: The exchange of the API key for a token: see `transport.auth`.
create_auth_token = Operation(api.create_auth_token, credential="key", returns_secret=True)

# Models and their training.

create_model = Operation(api.create_model)
get_info = Operation(api.get_info)
unload_model = Operation(api.unload_model)
create_custom_loss = Operation(api.create_custom_loss)
optim_step = Operation(api.optim_step)
forward = Operation(api.forward)
forward_backward = Operation(api.forward_backward)


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
    if _IMAGES.isdisjoint(map(type, body.prompt.chunks)):
        return body
    return evolve(body, prompt=adapt_images(body.prompt, protocol.sample_images, "prompt"))


def adapt_images(model_input: models.ModelInput, form: ImageForm, where: str) -> models.ModelInput:
    """A copy whose images have only the fields that servers of `form` accept.

    Raises:
        InvalidInputError: a required field is not set; `where` is the caller's name of the input.
    """
    if _IMAGES.isdisjoint(map(type, model_input.chunks)):
        return model_input
    chunks: list[Any] = [
        _adapt_image(chunk, form, f"{where}.chunks[{at}]") if type(chunk) in _IMAGES else chunk
        for at, chunk in enumerate(model_input.chunks)
    ]
    return evolve(model_input, chunks=chunks)


def _adapt_image(image: Any, form: ImageForm, where: str) -> Any:
    if form == "expected_tokens":
        return evolve(image, height=UNSET, width=UNSET, tokens=UNSET)
    required = {"height": image.height, "width": image.width, "tokens": image.tokens}
    missing = [name for name, size in required.items() if isinstance(size, Unset)]
    if missing:
        raise InvalidInputError(
            f"this server requires {', '.join(missing)} of each image", where=where
        )
    return evolve(image, expected_tokens=UNSET)


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
        if protocol.announces_sizes:
            body.allow_metadata_only = not self._whole
        protobuf = protocol.protobuf_results and self._result_of in PROTOBUF_RESULTS
        self.headers = _PROTOBUF_ACCEPTED if protobuf else {}
        return api.retrieve_future.build_request(body=body, **self.keywords)

    def parse(self, response: Response) -> Any:
        if response.fields.get(b"content-type", b"").startswith(PROTOBUF.encode()):
            return ProtobufResult(self._result_of, response.content)
        observed = tracing.observed_operation.get() is not None
        with tracing.stage(tracing.Stage.DECODE) if observed else nullcontext():
            try:
                return response.json() if response.content else None
            except MalformedBodyError:
                return response.content.decode("utf-8", "replace")


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
