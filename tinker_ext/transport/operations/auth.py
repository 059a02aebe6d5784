"""The API key itself: its exchange for a token, its description and its deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen
from tinker_api import models
from tinker_api.api.auth import create_auth_token, delete_own_api_key, get_own_api_key

from tinker_ext.config.parsers import read_secret
from tinker_ext.errors import APIResponseValidationError, APIStatusError
from tinker_ext.rules.retry import PERMANENT_5XX, RETRIED_STATUSES, parse_should_retry
from tinker_ext.transport.call import Call
from tinker_ext.transport.operations.base import Operations

if TYPE_CHECKING:
    from tinker_ext.redaction.secret import Secret

#: The operation's name in its errors.
TOKEN_OPERATION = "create_auth_token"
# Rejections of the key itself; they reach the caller.
_KEY_REJECTED = frozenset({401, 402, 403})


@frozen
class AuthOperations(Operations):
    """Operations on the API key that authenticates the request."""

    async def get_own_api_key(self) -> models.SelfApiKeyResponse:
        """The name and owner of the key."""
        call = Call("get_own_api_key", credential="key")
        return await self.send_for(models.SelfApiKeyResponse, call, get_own_api_key)

    async def delete_own_api_key(self) -> None:
        """Deletes the key on the server; later requests with it are rejected."""
        call = evolve(self.mutating_call("delete_own_api_key"), credential="key")
        await self.send(call, delete_own_api_key)

    async def create_auth_token(self) -> Secret:
        """Exchanges the API key for a token, which replaces it in later requests.

        Raises:
            AuthenticationError: the key is rejected.
            APIResponseValidationError: the server has no such operation, or its response has no
                token that is valid in a header. The error shows no part of the response.
        """
        call = evolve(
            self.mutating_call(TOKEN_OPERATION), credential="key", response_is_secret=True
        )
        try:
            response = await self.send_for(
                models.AuthTokenResponse, call, create_auth_token, body=models.AuthTokenRequest()
            )
        except APIStatusError as error:
            if _is_about_this_request(error.status_code) or parse_should_retry(error.headers):
                raise
            # Not an APIStatusError: that would be taken for the response to the request that
            # needs the token.
            raise APIResponseValidationError(
                f"the server requires tokens but issued none: {error.message}",
                status_code=error.status_code,
                operation=TOKEN_OPERATION,
                request_id=error.request_id,
            ) from None
        except APIResponseValidationError as error:
            # Keeps the class: a malformed body is retried.
            raise type(error)(
                "the response has no token",
                status_code=error.status_code,
                operation=TOKEN_OPERATION,
                request_id=error.request_id,
            ) from None
        try:
            return read_secret(response.jwt)
        except ValueError as error:
            raise APIResponseValidationError(
                f"the token in the response is not usable: {error}",
                operation=TOKEN_OPERATION,
                request_id=call.request_id,
            ) from None


def _is_about_this_request(status: int) -> bool:
    """Whether a status rejects this key, or is temporary; others mean that there are no tokens."""
    if status in _KEY_REJECTED | RETRIED_STATUSES:
        return True
    return status >= 500 and status not in PERMANENT_5XX
