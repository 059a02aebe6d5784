"""The HTTP client that the generated functions are given.

It does what the API needs and nothing else: encode, authenticate, send on a pooled transport, read
the body, and turn every answer that is no success into a typed error before the generated parser
sees it (the parser knows no proxy's HTML, no undocumented status, and drops the headers).
httpx's own machinery (redirects, cookies, event hooks) costs about 0.7 ms a request and is not
needed here.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import IO, TYPE_CHECKING, Any

import httpx

from tinker_ext import tracing
from tinker_ext.config.parsers import without_credentials
from tinker_ext.errors import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    status_error,
)
from tinker_ext.protocol.server_protocol import drop_default_fields
from tinker_ext.redaction.redactor import LONGEST_ID, READ_TEXT, REQUEST_ID, kept_headers
from tinker_ext.rules.retry import TransportFault, retry_after_seconds
from tinker_ext.rules.token_validity import is_invalid_token
from tinker_ext.timeouts import expire_after
from tinker_ext.transport.body_limits import BodyError, read_body_bytes
from tinker_ext.transport.call import Call, current_call
from tinker_ext.transport.deprecation import DeprecationNotes
from tinker_ext.transport.echo_redaction import redact_bytes, redact_headers, redactable
from tinker_ext.transport.encoding import DecodedResponse, encode, read_body
from tinker_ext.transport.network_faults import PROXY_LOGIN, explain
from tinker_ext.transport.redirects import redirect_target, unauthenticated_get, with_url_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tinker_ext.redaction.secret import Secret
    from tinker_ext.transport.auth import ApiKeyAuth
    from tinker_ext.transport.body_limits import Reserve

# httpx bounds each read and each write, so a body that trickles, or a server that takes a request
# in byte by byte, would never end. Ours: the whole exchange may take this many times as long.
TOTAL_TIMEOUT_FACTOR = 5.0
# Seconds, where a configuration has no limit for reads (0.4.1 _constants.py).
DEFAULT_READ = 60.0
#: Bytes of an error's body that are decoded as JSON; ours. Longer ones are not the API's.
MAX_ERROR_BYTES = 1024 * 1024


class ApiHttpClient(httpx.AsyncClient):
    """Sends one request and returns its success, wholly read; raises a typed error otherwise.

    A request whose token is refused is sent once more with another, all else being the same.

    Any 2xx is handed on as 200, because servers answer 200, 201 or 202 for the same operation and
    the specification documents one; so is any redirect as 302, where a redirect is the answer.
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
        self._most = max_response_bytes
        self._trace_headers = trace_headers
        self._proxy_for = proxy_for
        self._reserve = reserve
        self._notes = DeprecationNotes()
        self._urls: dict[str, httpx.URL] = {}

    async def request(
        self, method: str, url: httpx.URL | str, *, json: Any = None, **options: Any
    ) -> httpx.Response:
        call = current_call()
        options |= {"json": json}
        key = await self._credentials.key(call.credential)
        answer = await self._attempt(call, key, method, url, **options)
        if answer.status_code == 401:
            invalid = is_invalid_token(answer.status_code, answer.headers)
            other = await self._credentials.replacement(key, call.credential, invalid=invalid)
            if other is not None and other != key:
                answer = await self._attempt(call, other, method, url, **options)
        if (name := answer.headers.get(REQUEST_ID)) is not None:
            call.request_ids.append(name[:LONGEST_ID])
        self._notes.log(call.operation, answer.headers)
        return _raise_for_status(call, answer)

    async def _attempt(
        self, call: Call, key: Secret | None, method: str, url: httpx.URL | str, **options: Any
    ) -> DecodedResponse:
        path = str(url)
        bare = self._url(path, None)
        with tracing.attempt(call.operation, method.upper(), path, bare) as attempt:
            request = self._build(call, key, method, path, **options)
            if attempt is not None:
                attempt.sending(len(request.content))
            response = await self._send(call, request)
            place = redirect_target(request.url, response) if call.follows_redirect else None
            if place is not None:
                there = unauthenticated_get(place, self._limits.as_dict())
                response = await self._send(with_url_secrets(call, place), there)
            if attempt is not None:
                attempt.answered(response.status_code, len(response.content))
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
            content.seek(0)  # It may have been sent before.
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
        path = path.replace("//", "/")  # A checkpoint without a kind leaves its segment empty.
        if params:
            return self._merge_url(path).copy_merge_params(params)
        if len(self._urls) > 256:  # Paths with ids in them must not pile up.
            self._urls.clear()
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._merge_url(path)
        return url

    async def _send(self, call: Call, request: httpx.Request) -> DecodedResponse:
        whole = TOTAL_TIMEOUT_FACTOR * (call.timeout or self._limits.read or DEFAULT_READ)
        try:
            async with asyncio.timeout(None) as timeout:
                expire_after(timeout, whole)
                response = await self._wire.handle_async_request(request)
                try:
                    with tracing.fetching(call.operation, response.status_code):
                        content = await read_body_bytes(response, self._most, self._reserve)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise APITimeoutError(
                f"the exchange was not over after {whole:g} s",
                operation=call.operation,
                fault=TransportFault.TIMEOUT,
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            # Not `from error`: that one holds the request, and with it the key.
            proxy = self._proxy_for(str(request.url))
            raise connection_error(call, request.url, error, proxy) from None
        except BodyError as error:
            raise APIResponseValidationError(
                str(error),
                status_code=response.status_code,
                operation=call.operation,
                request_id=kept_headers(response.headers).get(REQUEST_ID),
            ) from None
        secrets = self._secrets(call)
        # An error's body is redacted once, when it becomes an error. A secret that was asked for
        # is left in the response.
        if 200 <= response.status_code < 300 and not call.answer_is_secret:
            content = redact_bytes(content, secrets)
        # Not ASCII, as a mapping's values would have to be: a header's bytes may be any.
        headers = httpx.Headers(redact_headers(response.headers, secrets), encoding="utf-8")
        return DecodedResponse(response.status_code, headers=headers, content=content)

    def _secrets(self, call: Call) -> tuple[str, ...]:
        return redactable((*self._credentials.secrets(), *call.secrets))


def _raise_for_status(call: Call, response: DecodedResponse) -> DecodedResponse:
    status = response.status_code
    if 200 <= status < 300:
        response.status_code = 200
        return response
    if call.redirect_is_answer and 300 <= status < 400:
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
    """The body of an error; of one that is too long for one, the beginning as text.

    Decoding all of it would stop the event loop for as long as its size says.
    """
    if len(content) <= MAX_ERROR_BYTES:
        return read_body(content)
    return content[:READ_TEXT].decode("utf-8", "replace")


def connection_error(
    call: Call, url: httpx.URL, error: Exception, proxy: str | None
) -> APIConnectionError:
    """The error of a request that failed on its way to `url`, through `proxy` if there is one."""
    fault = explain(error)
    # Where to, without the path and the query: an archive's address has a key in them.
    place = f"{url.scheme}://{url.netloc.decode('ascii')}"
    if proxy is not None:
        place += f" through the proxy {without_credentials(proxy)}"
    kind = APITimeoutError if isinstance(error, httpx.TimeoutException) else APIConnectionError
    failure = kind(f"{fault.words} ({place})", operation=call.operation, fault=fault.kind)
    failure.hint = fault.hint
    return failure
