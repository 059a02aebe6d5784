"""Operations, and the request object that travels from the client to the wire."""

from __future__ import annotations

import asyncio
import os
import random
import uuid
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, ParamSpec, Protocol, TypeVar

import httpx

from tinker_ext.redaction.redactor import LONGEST_ID, READ_TEXT, REQUEST_ID, kept_headers
from tinker_ext.redaction.secret import remembered
from tinker_ext.transport.echo_redaction import redact_headers
from tinker_ext.transport.encoding import MalformedBodyError, decode
from tinker_ext.transport.sliced_json import decode_in_slices

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tinker_api.received import ReceivedResponse

    from tinker_ext.errors import APIError
    from tinker_ext.protocol.server_protocol import ServerProtocol
    from tinker_ext.redaction.secret import Secret

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
T_co = TypeVar("T_co", covariant=True)

# Minimum characters of a signed URL's query value that may be part of its signature.
_SIGNATURE = 16

#: The credential of a request: the current one (a token, if the server issues them), or the key.
Credential = Literal["current", "key"]


class Endpoint(Protocol[P, T_co]):
    """A generated endpoint module: one function builds the request, one parses the response."""

    __name__: str

    def build_request(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]: ...

    def parse_response(self, response: ReceivedResponse) -> T_co: ...


class Operation(Generic[P, T]):
    """An operation of the API. Calling it with the operation's arguments returns a `Request`.

    Attributes:
        name: the operation's id.
        build: returns the method, URL, parameters, headers and body of a request.
        parse: returns the value of a response.
        adapt: changes the body for a server that accepts `protocol`.
        headers: sent with every request.
        timeout: seconds; None for that of the client.
        keyed: whether the idempotency key of a call is sent.
        credential: "key" for the requests that precede a token: the configuration, the exchange.
        accepts_redirect: a redirect is a success: its headers are the result.
        follows_redirect: a redirect to storage is followed, without credentials.
        returns_secret: a successful response is not redacted: a secret is what was requested.
    """

    __slots__ = (
        "accepts_redirect",
        "adapt",
        "build",
        "credential",
        "follows_redirect",
        "headers",
        "keyed",
        "name",
        "parse",
        "returns_secret",
        "timeout",
    )

    def __init__(
        self,
        endpoint: Endpoint[P, T],
        *,
        adapt: Callable[[Any, ServerProtocol], Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        keyed: bool | None = None,
        credential: Credential = "current",
        accepts_redirect: bool = False,
        follows_redirect: bool = False,
        returns_secret: bool = False,
    ) -> None:
        self.name = endpoint.__name__.rpartition(".")[2]
        self.build: Callable[..., dict[str, Any]] = endpoint.build_request
        self.parse: Callable[[Response], T] = endpoint.parse_response
        self.adapt = adapt
        self.headers = headers or {}
        self.timeout = timeout
        if keyed is None:  # As the specification says.
            keyed = "x_idempotency_key" in (self.build.__kwdefaults__ or {})
        self.keyed = keyed
        self.credential = credential
        self.accepts_redirect = accepts_redirect
        self.follows_redirect = follows_redirect
        self.returns_secret = returns_secret

    def parsed_by(self, parse: Callable[[Response], U]) -> Operation[P, U]:
        """A copy with another parser of successes."""
        other: Operation[P, Any] = copy(self)
        other.parse = parse
        return other

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Request[T]:
        return Request(self, args, kwargs)

    def __repr__(self) -> str:
        return f"<Operation {self.name}>"


class Request(Generic[T]):
    """One call of an operation, and what the attempts to send it share.

    Attributes:
        operation: the operation; knows how to build the request and to parse the response.
        headers: sent in addition to those of the operation.
        timeout: seconds of one attempt; None for that of the client.
        secrets: redacted in the response, besides the credentials of every request.
        size: the approximate number of bytes of the body, for budgets.
        idempotency_key: the same for all attempts; None if the server need not recognize them.
        on_error: returns a value in place of an error of an attempt, or raises.
        sent: whether an attempt to send it has begun; then the server may have received it.
        response: the last response, for errors raised after it was received.
    """

    __slots__ = (
        "arguments",
        "headers",
        "idempotency_key",
        "keywords",
        "on_error",
        "operation",
        "response",
        "secrets",
        "sent",
        "size",
        "timeout",
    )

    def __init__(
        self,
        operation: Operation[Any, T],
        arguments: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
    ) -> None:
        self.operation = operation
        self.arguments = arguments
        self.keywords = keywords or {}
        self.headers: Mapping[str, str] = {}
        self.timeout = operation.timeout
        self.secrets: tuple[Secret, ...] = ()
        self.size = 0
        self.idempotency_key: str | None = None
        self.sent = False
        self.on_error: Callable[[APIError], T] | None = None
        self.response: Response | None = None

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


class BytesBody(httpx.ByteStream):
    """A request body in one piece; a transport need not iterate over it."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.content = content


class Response:
    """A response whose body is read and redacted; `headers` are redacted on first access.

    `fields` are the received headers, to look up one without a secret.

    The status of a success is 200, because servers send 200, 201 or 202 for the same operation and
    the specification documents one of them. A redirect that counts as a success is a 302.
    """

    __slots__ = ("_headers", "_parse", "_received", "_secrets", "content", "fields", "status_code")

    def __init__(
        self,
        status_code: int,
        received: httpx.Headers,
        fields: Mapping[bytes, bytes],
        content: bytes,
        secrets: tuple[str, ...],
    ) -> None:
        self.status_code = status_code
        self.fields = fields
        self.content = content
        self._received = received
        self._secrets = secrets
        self._headers: httpx.Headers | None = None
        self._parse: Callable[[], Any] | None = None

    @property
    def content_type(self) -> str:
        """The header of that name; empty without one."""
        return self.fields.get(b"content-type", b"").decode("latin-1")

    @property
    def headers(self) -> httpx.Headers:
        """The redacted headers."""
        if self._headers is None:
            redacted = redact_headers(self._received, self._secrets)
            # Values may contain any bytes; httpx would encode a mapping's values as ASCII.
            self._headers = httpx.Headers(redacted, encoding="utf-8")
        return self._headers

    async def parse_large(self) -> None:
        """Parse a JSON body of more than `LARGE` bytes in a worker thread; `json()` returns it."""
        if "json" in self.content_type:
            parsing = asyncio.ensure_future(
                asyncio.to_thread(decode_in_slices, self.content, decode)
            )
            await asyncio.wait([parsing])
            self._parse = parsing.result

    def json(self) -> Any:
        """The body as decoded JSON.

        Raises:
            MalformedBodyError: it is not JSON.
        """
        try:
            return decode(self.content) if self._parse is None else self._parse()
        except ValueError as error:
            raise MalformedBodyError(
                f"the response is not JSON: {error}",
                status_code=self.status_code,
                body=self.content[:READ_TEXT],
            ) from None

    def json_or_text(self) -> Any:
        """The body as decoded JSON, or as text if it is not JSON; None if it is empty."""
        try:
            return self.json() if self.content else None
        except MalformedBodyError:
            return self.content.decode("utf-8", "replace")


# Not `os.urandom`, a system call during which another thread takes the interpreter lock.
_random = random.Random()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def new_idempotency_key() -> str:
    """A random UUID (version 4), different in each process."""
    return str(uuid.UUID(int=_random.getrandbits(128), version=4))


def url_secrets(url: httpx.URL) -> tuple[Secret, ...]:
    """The values in the query of a signed URL that may be its signature."""
    return remembered(value for value in url.params.values() if len(value) >= _SIGNATURE)
