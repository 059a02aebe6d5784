"""What operations have in common: where they are sent, their frame, how answers are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from attrs import frozen
from tinker_api.errors import UnexpectedStatus

from tinker_ext.errors import APIResponseValidationError, ConfigurationError
from tinker_ext.protocol.server_protocol import BASELINE, ServerProtocol
from tinker_ext.redaction.secret import remembered
from tinker_ext.transport.call import Call, call_context
from tinker_ext.transport.encoding import MalformedBodyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from tinker_api import Client
    from tinker_api.types import Response

T = TypeVar("T")

# What parsing an answer of another shape than the specification's may raise.
PARSE_ERRORS = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)

IDEMPOTENCY_HEADER = "X-Idempotency-Key"


@frozen
class Operations:
    """Where operations are sent, under which key, and in which dialect."""

    client: Client
    idempotency_key: str | None = None
    dialect: ServerProtocol = BASELINE

    def change(
        self,
        operation: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        secret: str | None = None,
    ) -> Call:
        """A call that changes state, or is sent as if it did: with the idempotency key.

        `secret` is a credential in its body or headers.
        """
        merged = dict(headers or {})
        if self.idempotency_key is not None:
            merged[IDEMPOTENCY_HEADER] = self.idempotency_key
        secrets = () if secret is None else remembered([secret])
        omit_if_default = self.dialect.rejected_fields_of(operation)
        return Call(
            operation,
            headers=merged,
            timeout=timeout,
            secrets=secrets,
            omit_if_default=omit_if_default,
        )


async def send(call: Call, sent: Awaitable[Response[Any]]) -> Response[Any]:
    """The answer to a call; its success may say nothing.

    Raises:
        APIResponseValidationError: it can't be read.
    """
    with call_context(call):
        try:
            return await sent
        except MalformedBodyError as error:
            if error.operation is None:  # Otherwise it is of a request that this one needed.
                error.operation, error.request_id = call.operation, call.request_id
            raise
        except ConfigurationError:
            raise  # Of the key, which nothing was sent with; it is a ValueError as well.
        except (*PARSE_ERRORS, UnexpectedStatus) as error:
            raise APIResponseValidationError(
                f"the answer can't be read: {type(error).__name__}: {error}",
                operation=call.operation,
                request_id=call.request_id,
            ) from error


async def send_for(call: Call, sent: Awaitable[Response[Any]], kind: type[T]) -> T:
    """The answer to a call, which must be of that kind.

    Raises:
        APIResponseValidationError: it is not, or can't be read.
    """
    parsed = (await send(call, sent)).parsed
    if not isinstance(parsed, kind):
        raise APIResponseValidationError(
            f"the answer is no {kind.__name__}",
            operation=call.operation,
            request_id=call.request_id,
        )
    return parsed
