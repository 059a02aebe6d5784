"""A token for a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen
from tinker_api import models
from tinker_api.api.auth import create_auth_token

from tinker_ext.config.parsers import read_secret
from tinker_ext.errors import APIResponseValidationError, APIStatusError
from tinker_ext.rules.retry import PERMANENT_5XX, RETRIED_STATUSES, parse_should_retry
from tinker_ext.transport.operations.base import Operations, send_for

if TYPE_CHECKING:
    from tinker_ext.redaction.secret import Secret

#: What an error of it says that it is of.
TOKEN_OPERATION = "create_auth_token"
# Refusals of the key, which are the caller's to know.
_REFUSALS = frozenset({401, 402, 403})


@frozen
class AuthOperations(Operations):
    """What a client proves itself with."""

    async def create_auth_token(self) -> Secret:
        """A token that takes the key's place; asked for with the key itself.

        Raises:
            AuthenticationError: the key is refused.
            APIResponseValidationError: there is no such operation, or the answer has no token that
                fits in a header; nothing of it is shown.
        """
        call = evolve(self.change(TOKEN_OPERATION), credential="key", answer_is_secret=True)
        sent = create_auth_token.asyncio_detailed(
            client=self.client, body=models.AuthTokenRequest()
        )
        try:
            return read_secret((await send_for(call, sent, models.AuthTokenResponse)).jwt)
        except APIStatusError as error:
            if _is_of_the_moment(error.status_code) or parse_should_retry(error.headers):
                raise
            # Not as an error status, which would be taken for the answer to what the token is for.
            raise APIResponseValidationError(
                f"the server wants tokens, and gives none: {error.message}",
                status_code=error.status_code,
                operation=TOKEN_OPERATION,
                request_id=error.request_id,
            ) from None
        except APIResponseValidationError as error:
            # Of the same kind, because one that is cut off is asked for again.
            raise type(error)(
                "the answer has no token",
                status_code=error.status_code,
                operation=TOKEN_OPERATION,
                request_id=error.request_id,
            ) from None
        except ValueError as error:
            raise APIResponseValidationError(
                f"the answer's token can't be used: {error}",
                operation=TOKEN_OPERATION,
                request_id=call.request_id,
            ) from None


def _is_of_the_moment(status: int) -> bool:
    """Whether a status refuses this key, or passes; any other says that there are no tokens."""
    if status in _REFUSALS | RETRIED_STATUSES:
        return True
    return status >= 500 and status not in PERMANENT_5XX
