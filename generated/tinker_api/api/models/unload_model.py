# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.unload_model_request import UnloadModelRequest
from ...models.untyped_api_future import UntypedAPIFuture
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    body: UnloadModelRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(x_idempotency_key, Unset):
        headers["X-Idempotency-Key"] = x_idempotency_key

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/unload_model",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> UntypedAPIFuture | None:
    if 200 <= response.status_code <= 299:
        response_2xx = UntypedAPIFuture.from_dict(response.json())

        return response_2xx

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[UntypedAPIFuture]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient | Client,
    body: UnloadModelRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> Response[UntypedAPIFuture]:
    """Give a model up

     Frees the model and ends its session; unsaved weights are lost. The result is an
    UnloadModelResponse.

    Args:
        x_idempotency_key (str | Unset):
        body (UnloadModelRequest): Gives a model up.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[UntypedAPIFuture]
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
    body: UnloadModelRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> UntypedAPIFuture | None:
    """Give a model up

     Frees the model and ends its session; unsaved weights are lost. The result is an
    UnloadModelResponse.

    Args:
        x_idempotency_key (str | Unset):
        body (UnloadModelRequest): Gives a model up.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        UntypedAPIFuture
    """

    return sync_detailed(
        client=client,
        body=body,
        x_idempotency_key=x_idempotency_key,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    body: UnloadModelRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> Response[UntypedAPIFuture]:
    """Give a model up

     Frees the model and ends its session; unsaved weights are lost. The result is an
    UnloadModelResponse.

    Args:
        x_idempotency_key (str | Unset):
        body (UnloadModelRequest): Gives a model up.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[UntypedAPIFuture]
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
    body: UnloadModelRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> UntypedAPIFuture | None:
    """Give a model up

     Frees the model and ends its session; unsaved weights are lost. The result is an
    UnloadModelResponse.

    Args:
        x_idempotency_key (str | Unset):
        body (UnloadModelRequest): Gives a model up.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        UntypedAPIFuture
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
            x_idempotency_key=x_idempotency_key,
        )
    ).parsed
