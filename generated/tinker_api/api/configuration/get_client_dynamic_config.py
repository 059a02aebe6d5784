# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.client_config_request import ClientConfigRequest
from ...models.client_dynamic_config_response import ClientDynamicConfigResponse
from ...received import ReceivedResponse
from ...types import UNSET, Response, Unset


def build_request(
    *,
    body: ClientConfigRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for this operation."""
    headers: dict[str, Any] = {}
    if not isinstance(x_idempotency_key, Unset):
        headers["X-Idempotency-Key"] = x_idempotency_key

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/client/dynamic_config",
    }
    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"
    _kwargs["headers"] = headers
    return _kwargs


def parse_response(response: ReceivedResponse) -> ClientDynamicConfigResponse:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 200 <= response.status_code <= 299:
        response_2xx = ClientDynamicConfigResponse.from_dict(response.json())

        return response_2xx

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(
    client: AuthenticatedClient | Client, response: Any
) -> Response[ClientDynamicConfigResponse]:
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
    body: ClientConfigRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> Response[ClientDynamicConfigResponse]:
    """Settings that may change while a client runs

     Asked again every `refresh_interval_sec`. A 404 means that the defaults hold.

    Args:
        x_idempotency_key (str | Unset):
        body (ClientConfigRequest): Asks how to behave.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ClientDynamicConfigResponse]
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
    body: ClientConfigRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> ClientDynamicConfigResponse:
    """Settings that may change while a client runs

     Asked again every `refresh_interval_sec`. A 404 means that the defaults hold.

    Args:
        x_idempotency_key (str | Unset):
        body (ClientConfigRequest): Asks how to behave.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ClientDynamicConfigResponse
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
    body: ClientConfigRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> Response[ClientDynamicConfigResponse]:
    """Settings that may change while a client runs

     Asked again every `refresh_interval_sec`. A 404 means that the defaults hold.

    Args:
        x_idempotency_key (str | Unset):
        body (ClientConfigRequest): Asks how to behave.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ClientDynamicConfigResponse]
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
    body: ClientConfigRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> ClientDynamicConfigResponse:
    """Settings that may change while a client runs

     Asked again every `refresh_interval_sec`. A 404 means that the defaults hold.

    Args:
        x_idempotency_key (str | Unset):
        body (ClientConfigRequest): Asks how to behave.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ClientDynamicConfigResponse
    """

    request = build_request(
        body=body,
        x_idempotency_key=x_idempotency_key,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return parse_response(response)
