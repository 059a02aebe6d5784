# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.get_info_request import GetInfoRequest
from ...models.get_info_response import GetInfoResponse
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    body: GetInfoRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> dict[str, Any]:
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


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> GetInfoResponse | None:
    if 200 <= response.status_code <= 299:
        response_2xx = GetInfoResponse.from_dict(response.json())

        return response_2xx

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[GetInfoResponse]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
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

    kwargs = _get_kwargs(
        body=body,
        x_idempotency_key=x_idempotency_key,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient | Client,
    body: GetInfoRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> GetInfoResponse | None:
    """Describe a model

     Returns the result directly, not a future, and is not part of the order of training requests.

    Args:
        x_idempotency_key (str | Unset):
        body (GetInfoRequest): Asks about a model.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GetInfoResponse
    """

    return sync_detailed(
        client=client,
        body=body,
        x_idempotency_key=x_idempotency_key,
    ).parsed


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

    kwargs = _get_kwargs(
        body=body,
        x_idempotency_key=x_idempotency_key,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient | Client,
    body: GetInfoRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> GetInfoResponse | None:
    """Describe a model

     Returns the result directly, not a future, and is not part of the order of training requests.

    Args:
        x_idempotency_key (str | Unset):
        body (GetInfoRequest): Asks about a model.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GetInfoResponse
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
            x_idempotency_key=x_idempotency_key,
        )
    ).parsed
