# Do not edit. Made by `make generate` from openapi/tinker.yaml.
"""The settings of a connection to a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from attrs import define, evolve, field

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    import httpx

#: Seconds. A server may hold a poll for 45 seconds.
DEFAULT_TIMEOUT = 60.0


@define
class Client:
    """A connection to a server, without a key.

    httpx is imported when the first request is sent.

    Attributes:
        base_url: the address of the server; the paths of the operations are relative to it.
        raise_on_unexpected_status: raise `errors.UnexpectedStatus` for a status that is not in the
            specification, which includes all errors.
        encode_json: encodes the JSON body of a request. Its argument consists of dictionaries, lists,
            strings, numbers, None, and whatever else is in the fields of the body, such as arrays. By
            default httpx uses the encoder of the standard library.
        cookies: sent with every request.
        headers: sent with every request; not in the repr, because they may hold a credential.
        timeout: seconds for connecting and for each wait for data; None for no limit.
        verify_ssl: False accepts any certificate; a context sets which are accepted.
        follow_redirects: whether a redirect is followed.
        httpx_args: further arguments of `httpx.Client` and `httpx.AsyncClient`.
    """

    _base_url: str = field(alias="base_url")
    raise_on_unexpected_status: bool = field(default=False, kw_only=True)
    encode_json: Callable[[Any], bytes] | None = field(default=None, kw_only=True)
    _cookies: dict[str, str] = field(factory=dict, kw_only=True, alias="cookies", repr=False)
    _headers: dict[str, str] = field(factory=dict, kw_only=True, alias="headers", repr=False)
    _timeout: httpx.Timeout | float | None = field(
        default=DEFAULT_TIMEOUT, kw_only=True, alias="timeout"
    )
    _verify_ssl: str | bool | ssl.SSLContext = field(default=True, kw_only=True, alias="verify_ssl")
    _follow_redirects: bool = field(default=False, kw_only=True, alias="follow_redirects")
    _httpx_args: dict[str, Any] = field(factory=dict, kw_only=True, alias="httpx_args", repr=False)
    _client: httpx.Client | None = field(default=None, init=False, repr=False, eq=False)
    _async_client: httpx.AsyncClient | None = field(default=None, init=False, repr=False, eq=False)

    def with_headers(self, headers: dict[str, str]) -> Self:
        """A copy that also sends `headers`. It has connections of its own."""
        return evolve(self, headers={**self._headers, **headers})

    def with_cookies(self, cookies: dict[str, str]) -> Self:
        """A copy that also sends `cookies`. It has connections of its own."""
        return evolve(self, cookies={**self._cookies, **cookies})

    def with_timeout(self, timeout: httpx.Timeout | float | None) -> Self:
        """A copy with another timeout. It has connections of its own."""
        return evolve(self, timeout=timeout)

    def encoded(self, request: dict[str, Any]) -> dict[str, Any]:
        """The arguments of `httpx.Client.request`, with the JSON body encoded by `encode_json`."""
        if self.encode_json is None or "json" not in request:
            return request
        request = dict(request)
        request["content"] = self.encode_json(request.pop("json"))
        return request

    def set_httpx_client(self, client: httpx.Client) -> Self:
        """Use `client`, with its own address, headers and timeout, for synchronous requests."""
        self._client = client
        return self

    def get_httpx_client(self) -> httpx.Client:
        """The httpx client of synchronous requests, created at the first call."""
        if self._client is None:
            import httpx

            self._client = httpx.Client(**self._settings())
        return self._client

    def set_async_httpx_client(self, async_client: httpx.AsyncClient) -> Self:
        """Use `async_client`, with its own address, headers and timeout, for asynchronous requests."""
        self._async_client = async_client
        return self

    def get_async_httpx_client(self) -> httpx.AsyncClient:
        """The httpx client of asynchronous requests, created at the first call."""
        if self._async_client is None:
            import httpx

            self._async_client = httpx.AsyncClient(**self._settings())
        return self._async_client

    def _settings(self) -> dict[str, Any]:
        return {
            "base_url": self._base_url,
            "cookies": self._cookies,
            "headers": self._all_headers(),
            "timeout": self._timeout,
            "verify": self._verify_ssl,
            "follow_redirects": self._follow_redirects,
            **self._httpx_args,
        }

    def _all_headers(self) -> dict[str, str]:
        return self._headers

    def __enter__(self) -> Self:
        self.get_httpx_client().__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        """Close the connections."""
        self.get_httpx_client().__exit__(*args)

    async def __aenter__(self) -> Self:
        await self.get_async_httpx_client().__aenter__()
        return self

    async def __aexit__(self, *args: Any) -> None:
        """Close the connections."""
        await self.get_async_httpx_client().__aexit__(*args)


@define
class AuthenticatedClient(Client):
    """A connection to a server, with a key.

    Attributes:
        token: the key, or a token that the server issued for it; not in the repr.
        prefix: the word before the token, none by default.
        auth_header_name: the header that has the token.
    """

    token: str = field(repr=False)
    prefix: str = ""
    auth_header_name: str = "X-API-Key"

    def _all_headers(self) -> dict[str, str]:
        value = f"{self.prefix} {self.token}" if self.prefix else self.token
        return {**self._headers, self.auth_header_name: value}
