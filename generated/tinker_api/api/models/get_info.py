# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.get_info_request import GetInfoRequest
from ...models.get_info_response import GetInfoResponse
from ...received import ReceivedResponse
from ...types import UNSET, Response, Unset


def build_request(
    *,
    body: GetInfoRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for this operation."""
    headers: dict[str, Any] = {}
    if not isinstance(x_idempotency_key, Unset):
        headers["X-Idempotency-Key"] = x_idempotency_key

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/get_info",
    }
    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"
    _kwargs["headers"] = headers
    return _kwargs


def parse_response(response: ReceivedResponse) -> GetInfoResponse:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 200 <= response.status_code <= 299:
        response_2xx = GetInfoResponse.from_dict(response.json())

        return response_2xx

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(client: AuthenticatedClient | Client, response: Any) -> Response[GetInfoResponse]:
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
    body: GetInfoRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> Response[GetInfoResponse]:
    """Describe a model

     Returns the result directly, not a future, and is not part of the order of training requests.

    Args:
        x_idempotency_key (str | Unset):
        body (GetInfoRequest): Asks about a model.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GetInfoResponse]
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
    body: GetInfoRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> GetInfoResponse:
    """Describe a model

     Returns the result directly, not a future, and is not part of the order of training requests.

    Args:
        x_idempotency_key (str | Unset):
        body (GetInfoRequest): Asks about a model.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GetInfoResponse
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
    body: GetInfoRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> Response[GetInfoResponse]:
    """Describe a model

     Returns the result directly, not a future, and is not part of the order of training requests.

    Args:
        x_idempotency_key (str | Unset):
        body (GetInfoRequest): Asks about a model.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GetInfoResponse]
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
    body: GetInfoRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> GetInfoResponse:
    """Describe a model

     Returns the result directly, not a future, and is not part of the order of training requests.

    Args:
        x_idempotency_key (str | Unset):
        body (GetInfoRequest): Asks about a model.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GetInfoResponse
    """

    request = build_request(
        body=body,
        x_idempotency_key=x_idempotency_key,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return parse_response(response)
