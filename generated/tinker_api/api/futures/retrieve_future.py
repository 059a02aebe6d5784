# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.future_retrieve_request import FutureRetrieveRequest
from ...received import ReceivedResponse
from ...types import UNSET, Response, Unset


def build_request(
    *,
    body: FutureRetrieveRequest,
    x_idempotency_key: str | Unset = UNSET,
    x_tinker_request_iteration: str | Unset = UNSET,
    x_tinker_request_type: str | Unset = UNSET,
    x_tinker_create_promise_roundtrip_time: str | Unset = UNSET,
) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for this operation."""
    headers: dict[str, Any] = {}
    if not isinstance(x_idempotency_key, Unset):
        headers["X-Idempotency-Key"] = x_idempotency_key

    if not isinstance(x_tinker_request_iteration, Unset):
        headers["X-Tinker-Request-Iteration"] = x_tinker_request_iteration

    if not isinstance(x_tinker_request_type, Unset):
        headers["X-Tinker-Request-Type"] = x_tinker_request_type

    if not isinstance(x_tinker_create_promise_roundtrip_time, Unset):
        headers["X-Tinker-Create-Promise-Roundtrip-Time"] = x_tinker_create_promise_roundtrip_time

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/retrieve_future",
    }
    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"
    _kwargs["headers"] = headers
    return _kwargs


def parse_response(response: ReceivedResponse) -> Any | None:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 200 <= response.status_code <= 299:
        return None

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(client: AuthenticatedClient | Client, response: Any) -> Response[Any]:
    try:
        parsed = parse_response(response)
    except errors.UnexpectedStatus:
        if client.raise_on_unexpected_status:
            raise
        parsed = None
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=parsed,
    )


def sync_detailed(
    *,
    client: AuthenticatedClient | Client,
    body: FutureRetrieveRequest,
    x_idempotency_key: str | Unset = UNSET,
    x_tinker_request_iteration: str | Unset = UNSET,
    x_tinker_request_type: str | Unset = UNSET,
    x_tinker_create_promise_roundtrip_time: str | Unset = UNSET,
) -> Response[Any]:
    """Fetch a result

     Waits up to about 45 seconds for the request to complete, and returns its result, with a
    TryAgainResponse, or with a RequestFailedResponse. Which result it is, is known only from the
    operation that was called.

    Args:
        x_idempotency_key (str | Unset):
        x_tinker_request_iteration (str | Unset):
        x_tinker_request_type (str | Unset):
        x_tinker_create_promise_roundtrip_time (str | Unset):
        body (FutureRetrieveRequest): Fetches a result.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any]
    """

    request = build_request(
        body=body,
        x_idempotency_key=x_idempotency_key,
        x_tinker_request_iteration=x_tinker_request_iteration,
        x_tinker_request_type=x_tinker_request_type,
        x_tinker_create_promise_roundtrip_time=x_tinker_create_promise_roundtrip_time,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    body: FutureRetrieveRequest,
    x_idempotency_key: str | Unset = UNSET,
    x_tinker_request_iteration: str | Unset = UNSET,
    x_tinker_request_type: str | Unset = UNSET,
    x_tinker_create_promise_roundtrip_time: str | Unset = UNSET,
) -> Response[Any]:
    """Fetch a result

     Waits up to about 45 seconds for the request to complete, and returns its result, with a
    TryAgainResponse, or with a RequestFailedResponse. Which result it is, is known only from the
    operation that was called.

    Args:
        x_idempotency_key (str | Unset):
        x_tinker_request_iteration (str | Unset):
        x_tinker_request_type (str | Unset):
        x_tinker_create_promise_roundtrip_time (str | Unset):
        body (FutureRetrieveRequest): Fetches a result.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any]
    """

    request = build_request(
        body=body,
        x_idempotency_key=x_idempotency_key,
        x_tinker_request_iteration=x_tinker_request_iteration,
        x_tinker_request_type=x_tinker_request_type,
        x_tinker_create_promise_roundtrip_time=x_tinker_create_promise_roundtrip_time,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)
