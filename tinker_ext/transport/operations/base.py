"""Sends the requests of all operations, and parses their responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from attrs import frozen
from tinker_api.errors import UnexpectedStatus

from tinker_ext.errors import APIResponseValidationError
from tinker_ext.protocol.server_protocol import BASELINE, ServerProtocol
from tinker_ext.redaction.secret import remembered
from tinker_ext.transport.call import Call, call_context
from tinker_ext.transport.encoding import MalformedBodyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx
    from tinker_api import Client
    from tinker_api.types import Response

T = TypeVar("T")
P = ParamSpec("P")

# Errors that parsers raise for a response that does not match the specification.
PARSE_ERRORS = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)

IDEMPOTENCY_HEADER = "X-Idempotency-Key"


class Endpoint(Protocol[P]):
    """A generated endpoint module: one function builds the request, one parses the response."""

    def _get_kwargs(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]: ...

    def _build_response(self, *, client: Client, response: httpx.Response) -> Response[Any]: ...


@frozen
class Operations:
    """A client, the idempotency key of a call, and the protocol that the server accepts."""

    client: Client
    idempotency_key: str | None = None
    protocol: ServerProtocol = BASELINE

    def mutating_call(
        self,
        operation: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        secret: str | None = None,
    ) -> Call:
        """A call that sends the idempotency key; also used for some that change no state.

        `secret` is a credential in its body or headers.
        """
        merged = dict(headers or {})
        if self.idempotency_key is not None:
            merged[IDEMPOTENCY_HEADER] = self.idempotency_key
        return Call(
            operation,
            headers=merged,
            timeout=timeout,
            secrets=() if secret is None else remembered([secret]),
            omit_if_default=self.protocol.rejected_fields_of(operation),
        )

    async def send(
        self, call: Call, endpoint: Endpoint[P], /, *args: P.args, **kwargs: P.kwargs
    ) -> Response[Any]:
        """Send a request and parse its response; a success may have an empty body.

        Errors of building the request are raised unchanged: nothing was sent.

        Raises:
            APIResponseValidationError: the response can't be parsed.
        """
        request = endpoint._get_kwargs(*args, **kwargs)
        with call_context(call):
            response = await self.client.get_async_httpx_client().request(**request)
        try:
            return endpoint._build_response(client=self.client, response=response)
        except MalformedBodyError as error:
            error.operation, error.request_id = call.operation, call.request_id
            raise
        except (*PARSE_ERRORS, UnexpectedStatus) as error:
            raise APIResponseValidationError(
                f"the response can't be parsed: {type(error).__name__}: {error}",
                operation=call.operation,
                request_id=call.request_id,
            ) from error

    async def send_for(
        self,
        model: type[T],
        call: Call,
        endpoint: Endpoint[P],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Send a request and return its response as `model`.

        Raises:
            APIResponseValidationError: the response can't be parsed, or has no such body.
        """
        parsed = (await self.send(call, endpoint, *args, **kwargs)).parsed
        if not isinstance(parsed, model):
            raise APIResponseValidationError(
                f"the response is not a {model.__name__}",
                operation=call.operation,
                request_id=call.request_id,
            )
        return parsed
