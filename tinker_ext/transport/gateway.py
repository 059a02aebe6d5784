"""Sends requests: the API as one method. Retries nothing.

It builds a request with the generated bindings, authenticates it, sends it on a pooled transport,
reads the response, and raises a typed error for every status other than a success. The generated
parser never sees an error: it handles neither a proxy's HTML nor undocumented status codes. The
transport is called directly: the redirects, cookies and event hooks of `httpx.AsyncClient` are not
needed, and cost about 0.7 ms per request.
"""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeVar

import httpx
import orjson
from attrs import frozen
from tinker_api.errors import UnexpectedStatus

from tinker_ext import tracing
from tinker_ext.errors import (
    APIError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    InvalidInputError,
    status_error,
)
from tinker_ext.protocol.server_protocol import BASELINE, ServerProtocol, drop_default_fields
from tinker_ext.redaction.redactor import READ_TEXT, REQUEST_ID, kept_headers, redact, shorten
from tinker_ext.redaction.secret import Secret, remembered
from tinker_ext.rules.retry import TransportFault, retry_after_seconds
from tinker_ext.rules.token_validity import is_invalid_token
from tinker_ext.timeouts import TimeLimit, TimeLimited, time_limit
from tinker_ext.transport.auth import ApiKeyAuth
from tinker_ext.transport.network_faults import PROXY_LOGIN, connection_error
from tinker_ext.transport.operations import Operation, Request
from tinker_ext.transport.response import (
    LARGE,
    BodyError,
    MalformedBodyError,
    Reserve,
    Response,
    header_fields,
    read_body,
    read_body_bytes,
    redact_bytes,
    redactable,
)

T = TypeVar("T")

# Errors that parsers raise for a response that does not match the specification.
PARSE_ERRORS = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
IDEMPOTENCY_HEADER = "X-Idempotency-Key"
# httpx limits each read and each write, so an exchange that proceeds byte by byte would never end.
# Ours: the limit of the whole exchange, as a multiple of the read timeout.
TOTAL_TIMEOUT_FACTOR = 5.0
# Seconds, if the configuration has no read timeout (0.4.1 _constants.py).
DEFAULT_READ = 60.0
#: Bytes of an error body that are decoded as JSON; ours. The API's error bodies are smaller.
MAX_ERROR_BYTES = 1024 * 1024
#: Headers that announce a deprecation; release 0.38.0.
NOTE_HEADER = "x-deprecation-note"
_NOTE_FIELD = NOTE_HEADER.encode()
LEVEL_HEADER = "x-deprecation-level"
# Characters of a deprecation note that are logged, and the number of distinct notes; ours.
_LONGEST_NOTE = 500
_MAX_NOTES = 100
# Operations with their URLs whose headers are kept; ours. URLs that contain ids would accumulate.
_MAX_PREPARED = 256
_NO_HEADERS: Mapping[str, str] = {}
# Minimum characters of a signed URL's query value that may be part of its signature.
_SIGNATURE = 16


@frozen(repr=False)  # The headers contain the key.
class _Prepared:
    """What the requests of one operation share.

    Attributes:
        key, seconds: the credential and the timeout for which the rest is valid.
        limit: that of a whole exchange.
    """

    key: Secret | None
    seconds: float | None
    url: httpx.URL
    headers: httpx.Headers
    extensions: dict[str, Any]
    limit: TimeLimit


class Gateway:
    """Sends a request and returns the value of its response; raises a typed error otherwise.

    A request whose token is rejected is sent once more with another token, otherwise unchanged.
    Used on one event loop.
    """

    def __init__(
        self,
        base_url: str,
        transport: httpx.AsyncBaseTransport,
        auth: ApiKeyAuth,
        *,
        headers: Mapping[str, str],
        timeout: httpx.Timeout,
        max_response_bytes: int,
        trace_headers: bool = True,
        proxy_for: Callable[[str], str | None] = lambda _: None,
        reserve: Reserve | None = None,
    ) -> None:
        self._base_url = httpx.URL(base_url)
        self._base_path = self._base_url.raw_path.rstrip(b"/") + b"/"
        self._wire = transport
        self._auth = auth
        self._fixed_headers = dict(headers)
        self._timeout = timeout
        self._max_bytes = max_response_bytes
        self._trace_headers = trace_headers
        self._proxy_for = proxy_for
        self._reserve = reserve
        self._notes: set[str] = set()
        self._prepared: dict[tuple[Operation[..., Any], str, str | None], _Prepared] = {}
        self._redacted_for: Secret | None = None
        self._redacted: tuple[bytes, ...] = ()

    async def send(self, request: Request[T], protocol: ServerProtocol = BASELINE) -> T:
        """Send a request to a server that accepts `protocol`, and parse its response.

        Errors of building the request are raised unchanged: nothing was sent.

        Raises:
            APIStatusError: the status code is an error.
            APIConnectionError: no complete response arrived.
            APIResponseValidationError: the response can't be parsed.
        """
        operation = request.operation
        try:
            if request.needs_preparation:
                await request.prepare(protocol)
            built = request.build(protocol)
            if "json" in built:
                body = built.pop("json")
                if protocol.rejected_fields:
                    rejected = protocol.rejected_fields_of(operation.name)
                    body = drop_default_fields(body, rejected)
                content: bytes | None = encode(body)
            else:
                file = built.pop("content", None)
                content = None if file is None else file.read()
            keys = self._auth.keys
            key = keys.lasting
            if key is None:
                key = await (keys.current() if operation.credential == "current" else keys.key())
            response = await self._attempt(request, key, built, content)
            if response.status_code == 401:
                response = await self._with_another_key(request, key, built, content, response)
            request.response = response
            if _NOTE_FIELD in response.fields:
                self._log_deprecation(operation.name, response)
            if 200 <= response.status_code < 300:
                response.status_code = 200
            elif operation.accepts_redirect and 300 <= response.status_code < 400:
                response.status_code = 302
            else:
                raise _status_error(operation.name, response)
            try:
                return request.parse(response)
            except MalformedBodyError as error:
                error.operation, error.request_id = operation.name, request.request_id
                raise
            except (*PARSE_ERRORS, UnexpectedStatus) as error:
                raise APIResponseValidationError(
                    f"the response can't be parsed: {type(error).__name__}: {error}",
                    operation=operation.name,
                    request_id=request.request_id,
                ) from error
        except APIError as error:
            if request.on_error is None:
                raise
            return request.on_error(error)

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.aclose()

    async def _with_another_key(
        self,
        request: Request[Any],
        key: Secret | None,
        built: dict[str, Any],
        content: bytes | None,
        response: Response,
    ) -> Response:
        """The response to the request with a new key; the same response if there is none."""
        keys, current = self._auth.keys, request.operation.credential == "current"
        invalid = is_invalid_token(401, response.headers)
        renew = keys.replacement_for if invalid and current else keys.printed_anew
        new_key = await renew(key)
        if new_key is None or new_key == key:
            return response
        return await self._attempt(request, new_key, built, content)

    def _attempt(
        self,
        request: Request[Any],
        key: Secret | None,
        built: dict[str, Any],
        content: bytes | None,
    ) -> Awaitable[Response]:
        """Send a request once, with the URL, headers and timeouts of its operation's last one."""
        operation, url = request.operation, built["url"]
        seconds = operation.timeout if request.timeout is None else request.timeout
        content_type = built.get("headers", _NO_HEADERS).get("Content-Type")
        prepared = self._prepared.get((operation, url, content_type))
        if prepared is None or prepared.key is not key or prepared.seconds != seconds:
            prepared = self._prepare(operation, url, content_type, key, seconds)
        traced = tracing.observed_operation.get()
        request.sent = True
        if traced is not None:
            return self._traced(traced, request, prepared, built, content)
        send = self._follow if operation.follows_redirect else self._exchange
        return send(request, self._build(request, prepared, built, content), prepared)

    async def _traced(
        self,
        traced: tracing.Operation,
        request: Request[Any],
        prepared: _Prepared,
        built: dict[str, Any],
        content: bytes | None,
    ) -> Response:
        """Send a request, and report its sizes and its outcome to `traced`."""
        operation, method = request.operation, built["method"].upper()
        with tracing.attempt(traced, operation.name, method, built["url"], prepared.url) as attempt:
            wire_request = self._build(request, prepared, built, content)
            attempt.sending(0 if content is None else len(content))
            send = self._follow if operation.follows_redirect else self._exchange
            response = await send(request, wire_request, prepared)
            attempt.responded(response.status_code, len(response.content))
            return response

    async def _follow(
        self, request: Request[Any], wire_request: httpx.Request, prepared: _Prepared
    ) -> Response:
        """Send a request, and follow a redirect to storage."""
        response = await self._exchange(request, wire_request, prepared)
        target = _redirect_target(wire_request.url, response)
        if target is None:
            return response
        request.secrets += url_secrets(target)
        # Without the API key: the signed URL is its own authorization.
        redirected = httpx.Request(
            "GET",
            target,
            headers={"Accept": "application/json"},
            extensions={"timeout": _finite(self._timeout)},
        )
        return await self._exchange(request, redirected, prepared)

    def _prepare(
        self,
        operation: Operation[..., Any],
        template: str,
        content_type: str | None,
        key: Secret | None,
        seconds: float | None,
    ) -> _Prepared:
        """The part that later requests of the operation share, if they have this key."""
        # A checkpoint without a kind has an empty path segment.
        path = httpx.URL(template.replace("//", "/")).raw_path.lstrip(b"/")
        url = self._base_url.copy_with(raw_path=self._base_path + path)
        headers = {
            "Host": url.netloc.decode("ascii"),
            "Accept": "application/json",
            **self._fixed_headers,
            **operation.headers,
            **self._auth.headers(key),
        }
        if content_type is not None:
            headers["Content-Type"] = content_type
        limits = self._timeout
        if seconds is not None:
            limits = httpx.Timeout(seconds, connect=min(limits.connect or 5.0, seconds))
        if len(self._prepared) >= _MAX_PREPARED:
            self._prepared.clear()
        prepared = self._prepared[operation, template, content_type] = _Prepared(
            key,
            seconds,
            url,
            httpx.Headers(headers),
            {"timeout": _finite(limits)},
            time_limit(TOTAL_TIMEOUT_FACTOR * (seconds or self._timeout.read or DEFAULT_READ)),
        )
        self._redacted_for, self._redacted = key, redactable(self._auth.secrets())
        return prepared

    def _build(
        self,
        request: Request[Any],
        prepared: _Prepared,
        built: Mapping[str, Any],
        content: bytes | None,
    ) -> httpx.Request:
        headers = prepared.headers.copy()
        for name, value in built.get("headers", _NO_HEADERS).items():
            if name != "Content-Type":
                headers[name] = value
        if self._trace_headers:
            for name, value in tracing.trace_headers().items():
                headers[name] = value
        for name, value in request.headers.items():
            headers[name] = value
        if request.idempotency_key is not None and request.operation.keyed:
            headers[IDEMPOTENCY_HEADER] = request.idempotency_key
        url = prepared.url
        if params := built.get("params"):
            url = url.copy_merge_params(params)
        stream = None
        if content is not None:
            headers["Content-Length"] = str(len(content))
            stream = httpx.ByteStream(content)
        return httpx.Request(
            built["method"], url, headers=headers, stream=stream, extensions=prepared.extensions
        )

    async def _exchange(
        self, request: Request[Any], wire_request: httpx.Request, prepared: _Prepared
    ) -> Response:
        operation, limit = request.operation, prepared.limit
        try:
            with TimeLimited(limit):
                response = await self._wire.handle_async_request(wire_request)
                try:
                    fields = header_fields(response.headers)
                    reading = read_body_bytes(response, self._max_bytes, self._reserve, fields)
                    if tracing.observed_operation.get() is None:
                        content = await reading
                    else:
                        with tracing.fetching(operation.name, response.status_code):
                            content = await reading
                finally:
                    await response.stream.aclose()  # type: ignore[union-attr]  # an async transport's
        except TimeoutError:
            raise APITimeoutError(
                f"no complete response within {limit.seconds:g} s",
                operation=operation.name,
                fault=TransportFault.TIMEOUT,
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            # Not `from error`, which would hold the request and its key.
            proxy = self._proxy_for(str(wire_request.url))
            raise connection_error(operation.name, wire_request.url, error, proxy) from None
        except BodyError as error:
            raise APIResponseValidationError(
                str(error),
                status_code=response.status_code,
                operation=operation.name,
                request_id=kept_headers(response.headers).get(REQUEST_ID),
            ) from None
        # `status_error` redacts the responses that become errors.
        secrets: tuple[bytes, ...] = ()
        if response.status_code < 400:
            # The credentials change only with the key.
            if self._redacted_for is not prepared.key or request.secrets:
                secrets = redactable((*self._auth.secrets(), *request.secrets))
            else:
                secrets = self._redacted
            if not operation.returns_secret and any(map(content.__contains__, secrets)):
                content = redact_bytes(content, secrets)
        received = Response(response.status_code, fields, content, response.headers, secrets)
        if len(content) > LARGE and response.status_code < 300:
            await received.parse_large()
        return received

    def _log_deprecation(self, operation: str, response: Response) -> None:
        """Log each deprecation note once: as an error if the server calls it one, or a warning."""
        note = shorten(redact(response.headers[NOTE_HEADER][:READ_TEXT]), _LONGEST_NOTE)
        if not note or note in self._notes or len(self._notes) >= _MAX_NOTES:
            return
        self._notes.add(note)
        is_error = response.headers.get(LEVEL_HEADER) == "error"
        write = tracing.log.error if is_error else tracing.log.warning
        write("%s: deprecation note from the server: %s", operation, note)


def _status_error(operation: str, response: Response) -> APIStatusError:
    headers = dict(response.headers)
    error = status_error(
        response.status_code,
        headers=headers,
        body=_error_body(response.content),
        operation=operation,
        retry_after=retry_after_seconds(headers, time.time()),
    )
    if response.status_code == 407:
        error.hint = PROXY_LOGIN
    return error


def _error_body(content: bytes) -> Any:
    """The decoded body of an error, or its beginning as text if it is too long.

    Decoding a large body would block the event loop.
    """
    if len(content) <= MAX_ERROR_BYTES:
        return read_body(content)
    return content[:READ_TEXT].decode("utf-8", "replace")


def _redirect_target(url: httpx.URL, response: Response) -> httpx.URL | None:
    """The target of a redirect; None for other responses and for redirects from https to http."""
    location = response.headers.get("location")
    if not 300 <= response.status_code < 400 or not location:
        return None
    try:
        target = url.join(location)
    except (httpx.InvalidURL, ValueError):
        return None
    if target.scheme not in ("http", "https") or (url.scheme, target.scheme) == ("https", "http"):
        return None
    return target


def _finite(timeout: httpx.Timeout) -> dict[str, float | None]:
    """The timeouts of a request's phases, None for an infinite one."""
    return {
        phase: None if seconds is None or math.isinf(seconds) else seconds
        for phase, seconds in timeout.as_dict().items()
    }


def url_secrets(url: httpx.URL) -> tuple[Secret, ...]:
    """The values in the query of a signed URL that may be its signature."""
    return remembered(value for value in url.params.values() if len(value) >= _SIGNATURE)


def encode(body: Any) -> bytes:
    """Encodes a request body as UTF-8 JSON; numpy arrays in it must be C-contiguous.

    Raises:
        InvalidInputError: a text is not valid Unicode, or an integer has more than 64 bits.
    """
    try:
        return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    except orjson.JSONEncodeError as error:
        where = next(_unencodable(body, ""), None)
        if where is None:
            raise  # Not a value of the caller's: an object or array that has no JSON form.
        raise InvalidInputError(f"it can't be sent as JSON: {error}", where=where) from None


def _unencodable(value: Any, place: str) -> Iterator[str]:
    """Yields the places of texts and integers in a body that can't be encoded."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            text = name if isinstance(name, str) and _is_encodable(name) else repr(name)
            if text is not name:
                yield f"the field {text}"
            yield from _unencodable(item, f"{place}.{text}" if place else text)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _unencodable(item, f"{place}[{index}]")
    elif isinstance(value, str | int) and not _is_encodable(value):
        yield place


def _is_encodable(value: object) -> bool:
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return True
