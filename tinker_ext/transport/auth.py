"""The headers that authenticate a request, and the exchange of the API key for a token."""

from __future__ import annotations

from typing import NoReturn, Protocol

from attrs import frozen
from tinker_api import models

from tinker_ext.config import ClientConfig
from tinker_ext.config.parsers import read_secret
from tinker_ext.errors import APIError, APIResponseValidationError, APIStatusError
from tinker_ext.redaction.secret import Secret
from tinker_ext.rules.retry import PERMANENT_5XX, RETRIED_STATUSES, parse_should_retry
from tinker_ext.transport import operations
from tinker_ext.transport.operations import Request

# Header names as releases 0.4.1 to 0.38.0 send them.
API_KEY_HEADER = "X-API-Key"
CF_ID_HEADER = "CF-Access-Client-Id"
CF_SECRET_HEADER = "CF-Access-Client-Secret"
# Minimum characters of a default header's value that is redacted in successful responses; ours. A
# shorter value may occur in results by chance; it is redacted in errors and logs only.
_SHORTEST_HEADER = 12
#: The operation's name in its errors.
TOKEN_OPERATION = operations.create_auth_token.name
# Rejections of the key itself; they reach the caller.
_KEY_REJECTED = frozenset({401, 402, 403})


class KeySource(Protocol):
    """Provides the value of X-API-Key, which may change over time."""

    @property
    def lasting(self) -> Secret | None:
        """The value for all requests if it does not change; None if `key` or `current` has it."""

    async def key(self) -> Secret | None:
        """The user's API key, never a token issued for it; None if there is no key."""
        ...

    async def current(self) -> Secret | None:
        """The credential to send now: the API key, or a token that the server issued for it."""
        ...

    async def replacement_for(self, refused: Secret | None) -> Secret | None:
        """A new credential if the server rejected `refused` as invalid; None if there is none."""
        ...

    async def printed_anew(self, refused: Secret | None) -> Secret | None:
        """A new key from the credential command if it printed `refused`; otherwise None."""
        ...

    def secrets(self) -> tuple[Secret, ...]:
        """All credentials sent recently."""
        ...


@frozen
class FixedKey:
    """A key that never changes."""

    api_key: Secret | None = None

    @property
    def lasting(self) -> Secret | None:
        return self.api_key

    async def key(self) -> Secret | None:
        return self.api_key

    async def current(self) -> Secret | None:
        return self.api_key

    async def replacement_for(self, refused: Secret | None) -> Secret | None:
        return None

    async def printed_anew(self, refused: Secret | None) -> Secret | None:
        return None

    def secrets(self) -> tuple[Secret, ...]:
        return () if self.api_key is None else (self.api_key,)


@frozen
class ApiKeyAuth:
    """Adds the API key or a token, and the Cloudflare Access credentials, to every request."""

    keys: KeySource = FixedKey()
    cf_access_client_id: str | None = None
    cf_access_client_secret: Secret | None = None
    #: Values of other configured headers, which may be credentials.
    others: tuple[Secret, ...] = ()

    @classmethod
    def from_config(cls, config: ClientConfig, keys: KeySource | None = None) -> ApiKeyAuth:
        """The credentials of a configuration; `keys`, if given, replaces its API key."""
        return cls(
            keys or FixedKey(config.api_key),
            cf_access_client_id=config.cf_access_client_id,
            cf_access_client_secret=config.cf_access_client_secret,
            others=tuple(
                secret
                for secret in config.header_secrets
                if len(secret.reveal()) >= _SHORTEST_HEADER
            ),
        )

    def secrets(self) -> tuple[Secret, ...]:
        """All credentials, to redact if the server repeats them."""
        access = self.cf_access_client_secret
        return (*self.keys.secrets(), *(() if access is None else (access,)), *self.others)

    def headers(self, key: Secret | None) -> dict[str, str]:
        """The authentication headers; only the transport sees them."""
        headers = {}
        if key is not None:
            headers[API_KEY_HEADER] = key.reveal()
        if self.cf_access_client_id is not None and self.cf_access_client_secret is not None:
            headers[CF_ID_HEADER] = self.cf_access_client_id
            headers[CF_SECRET_HEADER] = self.cf_access_client_secret.reveal()
        return headers


def exchange_key() -> Request[models.AuthTokenResponse]:
    """Exchanges the API key for a token, which replaces it in later requests: see `read_token`.

    Raises when it is sent:
        AuthenticationError: the key is rejected.
        APIResponseValidationError: the server has no such operation, or its response has no token.
            The error shows no part of the response.
    """
    request = operations.create_auth_token(body=models.AuthTokenRequest())
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
