# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.futures_retrieve_request import FuturesRetrieveRequest
from ...models.futures_retrieve_response import FuturesRetrieveResponse
from ...received import ReceivedResponse
from ...types import UNSET, Response, Unset


def build_request(
    *,
    body: FuturesRetrieveRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for this operation."""
    headers: dict[str, Any] = {}
    if not isinstance(x_idempotency_key, Unset):
        headers["X-Idempotency-Key"] = x_idempotency_key

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/retrieve_futures",
    }
    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"
    _kwargs["headers"] = headers
    return _kwargs


def parse_response(response: ReceivedResponse) -> FuturesRetrieveResponse:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 200 <= response.status_code <= 299:
        response_2xx = FuturesRetrieveResponse.from_dict(response.json())

        return response_2xx

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(
    client: AuthenticatedClient | Client, response: Any
) -> Response[FuturesRetrieveResponse]:
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
    body: FuturesRetrieveRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> Response[FuturesRetrieveResponse]:
    """Learn which of many requests have ended

     Waits until some request of a sampling session ends, up to about 45 seconds. Results themselves are
    fetched with retrieve_future.

    Args:
        x_idempotency_key (str | Unset):
        body (FuturesRetrieveRequest): Asks which requests have ended.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[FuturesRetrieveResponse]
    """

    request = build_request(
        body=body,
        x_idempotency_key=x_idempotency_key,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


def sync(
    *,
    client: AuthenticatedClient | Client,
    body: FuturesRetrieveRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> FuturesRetrieveResponse:
    """Learn which of many requests have ended

     Waits until some request of a sampling session ends, up to about 45 seconds. Results themselves are
    fetched with retrieve_future.

    Args:
        x_idempotency_key (str | Unset):
        body (FuturesRetrieveRequest): Asks which requests have ended.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        FuturesRetrieveResponse
    """

    request = build_request(
        body=body,
        x_idempotency_key=x_idempotency_key,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return parse_response(response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    body: FuturesRetrieveRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> Response[FuturesRetrieveResponse]:
    """Learn which of many requests have ended

     Waits until some request of a sampling session ends, up to about 45 seconds. Results themselves are
    fetched with retrieve_future.

    Args:
        x_idempotency_key (str | Unset):
        body (FuturesRetrieveRequest): Asks which requests have ended.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[FuturesRetrieveResponse]
    """

    request = build_request(
        body=body,
        x_idempotency_key=x_idempotency_key,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


async def asyncio(
    *,
    client: AuthenticatedClient | Client,
    body: FuturesRetrieveRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> FuturesRetrieveResponse:
    """Learn which of many requests have ended

     Waits until some request of a sampling session ends, up to about 45 seconds. Results themselves are
    fetched with retrieve_future.

    Args:
        x_idempotency_key (str | Unset):
        body (FuturesRetrieveRequest): Asks which requests have ended.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        FuturesRetrieveResponse
    """

    request = build_request(
        body=body,
        x_idempotency_key=x_idempotency_key,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return parse_response(response)
