"""The HTTP client that sends the requests of the generated endpoints.

It encodes and authenticates a request, sends it on a pooled transport, reads the response, and
raises a typed error for every status other than a success. The generated parser never sees an
error: it handles neither a proxy's HTML nor undocumented status codes, and drops the headers.
httpx's own redirects, cookies and event hooks are bypassed; they cost about 0.7 ms per request.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import IO, TYPE_CHECKING, Any

import httpx

from tinker_ext import tracing
from tinker_ext.errors import (
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    status_error,
)
from tinker_ext.protocol.server_protocol import drop_default_fields
from tinker_ext.redaction.redactor import (
    LONGEST_ID,
    READ_TEXT,
    REQUEST_ID,
    kept_headers,
    redact,
    shorten,
)
from tinker_ext.rules.retry import TransportFault, retry_after_seconds
from tinker_ext.rules.token_validity import is_invalid_token
from tinker_ext.timeouts import expire_after
from tinker_ext.transport.body_limits import BodyError, read_body_bytes
from tinker_ext.transport.call import Call, current_call
from tinker_ext.transport.echo_redaction import redact_bytes, redact_headers, redactable
from tinker_ext.transport.encoding import DecodedResponse, encode, read_body
from tinker_ext.transport.network_faults import PROXY_LOGIN, connection_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tinker_ext.redaction.secret import Secret
    from tinker_ext.transport.auth import ApiKeyAuth
    from tinker_ext.transport.body_limits import Reserve

# httpx limits each read and each write, so an exchange that proceeds byte by byte would never end.
# Ours: the limit of the whole exchange, as a multiple of the read timeout.
TOTAL_TIMEOUT_FACTOR = 5.0
# Seconds, if the configuration has no read timeout (0.4.1 _constants.py).
DEFAULT_READ = 60.0
#: Bytes of an error body that are decoded as JSON; ours. The API's error bodies are smaller.
MAX_ERROR_BYTES = 1024 * 1024
#: Headers that announce a deprecation; release 0.38.0.
NOTE_HEADER = "x-deprecation-note"
LEVEL_HEADER = "x-deprecation-level"
# Characters of a deprecation note that are logged, and the number of distinct notes; ours.
_LONGEST_NOTE = 500
_MAX_NOTES = 100


class ApiHttpClient(httpx.AsyncClient):
    """Sends a request and returns its response if it is a success; raises a typed error otherwise.

    A request whose token is rejected is sent once more with another token, otherwise unchanged.

    The status of a success is set to 200, because servers send 200, 201 or 202 for the same
    operation and the specification documents one of them. A redirect that counts as a success is
    set to 302.
    """

    def __init__(
        self,
        *,
        base_url: str,
        transport: httpx.AsyncBaseTransport,
        auth: ApiKeyAuth,
        headers: Mapping[str, str],
        timeout: httpx.Timeout,
        max_response_bytes: int,
        trace_headers: bool = True,
        proxy_for: Callable[[str], str | None] = lambda _: None,
        reserve: Reserve | None = None,
    ) -> None:
        super().__init__(base_url=base_url, transport=transport, trust_env=False)
        self._wire = transport
        self._credentials = auth
        self._fixed_headers = dict(headers)
        self._limits = timeout
        self._max_bytes = max_response_bytes
        self._trace_headers = trace_headers
        self._proxy_for = proxy_for
        self._reserve = reserve
        self._notes: set[str] = set()
        self._urls: dict[str, httpx.URL] = {}

    async def request(
        self, method: str, url: httpx.URL | str, *, json: Any = None, **options: Any
    ) -> httpx.Response:
        call = current_call()
        options |= {"json": json}
        key = await self._credentials.key(call.credential)
        response = await self._attempt(call, key, method, url, **options)
        if response.status_code == 401:
            invalid = is_invalid_token(response.status_code, response.headers)
            new_key = await self._credentials.replacement(key, call.credential, invalid=invalid)
            if new_key is not None and new_key != key:
                response = await self._attempt(call, new_key, method, url, **options)
        if (request_id := response.headers.get(REQUEST_ID)) is not None:
            call.request_ids.append(request_id[:LONGEST_ID])
        self._log_deprecation(call.operation, response.headers)
        return _raise_for_status(call, response)

    async def _attempt(
        self, call: Call, key: Secret | None, method: str, url: httpx.URL | str, **options: Any
    ) -> DecodedResponse:
        path = str(url)
        url_without_query = self._url(path, None)
        with tracing.attempt(call.operation, method.upper(), path, url_without_query) as attempt:
            request = self._build(call, key, method, path, **options)
            if attempt is not None:
                attempt.sending(len(request.content))
            response = await self._send(call, request)
            target = _redirect_target(request.url, response) if call.follows_redirect else None
            if target is not None:
                redirected = _unauthenticated_get(target, self._limits.as_dict())
                response = await self._send(call.with_url_secrets(target), redirected)
            if attempt is not None:
                attempt.responded(response.status_code, len(response.content))
        return response

    def _build(
        self,
        call: Call,
        key: Secret | None,
        method: str,
        path: str,
        *,
        json: Any,
        content: IO[bytes] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> httpx.Request:
        if json is not None and call.omit_if_default:
            json = drop_default_fields(json, call.omit_if_default)
        body = None if json is None else encode(json)
        if content is not None:
            content.seek(0)  # An earlier attempt may have read it.
            body = content.read()
        merged = {"Accept": "application/json", **self._fixed_headers, **(headers or {})}
        if json is not None:
            merged["Content-Type"] = "application/json"
        if self._trace_headers:
            merged.update(tracing.trace_headers())
        merged.update(call.headers)
        merged.update(self._credentials.headers(key))
        limits = self._limits
        if call.timeout is not None:
            limits = httpx.Timeout(call.timeout, connect=min(limits.connect or 5.0, call.timeout))
        return httpx.Request(
            method,
            self._url(path, params),
            headers=merged,
            content=body,
            extensions={"timeout": limits.as_dict()},
        )

    def _url(self, path: str, params: Mapping[str, Any] | None) -> httpx.URL:
        path = path.replace("//", "/")  # A checkpoint without a kind has an empty path segment.
        if params:
            return self._merge_url(path).copy_merge_params(params)
        if len(self._urls) > 256:  # Paths that contain ids would accumulate.
            self._urls.clear()
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._merge_url(path)
        return url

    async def _send(self, call: Call, request: httpx.Request) -> DecodedResponse:
        limit = TOTAL_TIMEOUT_FACTOR * (call.timeout or self._limits.read or DEFAULT_READ)
        try:
            async with asyncio.timeout(None) as timeout:
                expire_after(timeout, limit)
                response = await self._wire.handle_async_request(request)
                try:
                    with tracing.fetching(call.operation, response.status_code):
                        content = await read_body_bytes(response, self._max_bytes, self._reserve)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise APITimeoutError(
                f"no complete response within {limit:g} s",
                operation=call.operation,
                fault=TransportFault.TIMEOUT,
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            # Not `from error`, which would hold the request and its key.
            proxy = self._proxy_for(str(request.url))
            raise connection_error(call, request.url, error, proxy) from None
        except BodyError as error:
            raise APIResponseValidationError(
                str(error),
                status_code=response.status_code,
                operation=call.operation,
                request_id=kept_headers(response.headers).get(REQUEST_ID),
            ) from None
        # `status_error` redacts the responses that become errors.
        secrets = self._secrets(call) if response.status_code < 400 else ()
        if not call.response_is_secret:
            content = redact_bytes(content, secrets)
        # Header values may contain any bytes; httpx would encode a mapping's values as ASCII.
        headers = httpx.Headers(redact_headers(response.headers, secrets), encoding="utf-8")
        decoded = DecodedResponse(response.status_code, headers=headers, content=content)
        if response.status_code < 300:
            await decoded.parse_large()
        return decoded

    def _secrets(self, call: Call) -> tuple[str, ...]:
        return redactable((*self._credentials.secrets(), *call.secrets))

    def _log_deprecation(self, operation: str, headers: Mapping[str, str]) -> None:
        """Logs each deprecation note once: as an error if the server calls it one, or a warning."""
        if not (text := headers.get(NOTE_HEADER)):
            return
        note = shorten(redact(text[:READ_TEXT]), _LONGEST_NOTE)
        if note in self._notes or len(self._notes) >= _MAX_NOTES:
            return
        self._notes.add(note)
        write = tracing.log.error if headers.get(LEVEL_HEADER) == "error" else tracing.log.warning
        write("%s: deprecation note from the server: %s", operation, note)


def _raise_for_status(call: Call, response: DecodedResponse) -> DecodedResponse:
    status = response.status_code
    if 200 <= status < 300:
        response.status_code = 200
        return response
    if call.accepts_redirect and 300 <= status < 400:
        response.status_code = 302
        return response
    raise _status_error(call, response)


def _status_error(call: Call, response: DecodedResponse) -> APIStatusError:
    headers = dict(response.headers)
    error = status_error(
        response.status_code,
        headers=headers,
        body=_error_body(response.content),
        operation=call.operation,
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


def _redirect_target(url: httpx.URL, response: httpx.Response) -> httpx.URL | None:
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


def _unauthenticated_get(url: httpx.URL, timeout: Any) -> httpx.Request:
    """A request without the API key; the signed URL is its own authorization."""
    headers = {"Accept": "application/json"}
    return httpx.Request("GET", url, headers=headers, extensions={"timeout": timeout})
