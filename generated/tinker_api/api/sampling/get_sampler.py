# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.get_sampler_response import GetSamplerResponse
from ...received import ReceivedResponse
from ...types import Response


def build_request(
    sampler_id: str,
) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for this operation."""

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/samplers/{sampler_id}".format(
            sampler_id=quote(str(sampler_id), safe=""),
        ),
    }
    return _kwargs


def parse_response(response: ReceivedResponse) -> GetSamplerResponse:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 200 <= response.status_code <= 299:
        response_2xx = GetSamplerResponse.from_dict(response.json())

        return response_2xx

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(client: AuthenticatedClient | Client, response: Any) -> Response[GetSamplerResponse]:
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
    sampler_id: str,
    *,
    client: AuthenticatedClient | Client,
) -> Response[GetSamplerResponse]:
    """Describe a sampler

     The base model and weights of a sampling session, which is also a sampler's id.

    Args:
        sampler_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GetSamplerResponse]
    """

    request = build_request(
        sampler_id=sampler_id,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


def sync(
    sampler_id: str,
    *,
    client: AuthenticatedClient | Client,
) -> GetSamplerResponse:
    """Describe a sampler

     The base model and weights of a sampling session, which is also a sampler's id.

    Args:
        sampler_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GetSamplerResponse
    """

    request = build_request(
        sampler_id=sampler_id,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return parse_response(response)


async def asyncio_detailed(
    sampler_id: str,
    *,
    client: AuthenticatedClient | Client,
) -> Response[GetSamplerResponse]:
    """Describe a sampler

     The base model and weights of a sampling session, which is also a sampler's id.

    Args:
        sampler_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GetSamplerResponse]
    """

    request = build_request(
        sampler_id=sampler_id,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


async def asyncio(
    sampler_id: str,
    *,
    client: AuthenticatedClient | Client,
) -> GetSamplerResponse:
    """Describe a sampler

     The base model and weights of a sampling session, which is also a sampler's id.

    Args:
        sampler_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GetSamplerResponse
    """

    request = build_request(
        sampler_id=sampler_id,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return parse_response(response)
