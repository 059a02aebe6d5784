# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.external_weights_urls_response import ExternalWeightsUrlsResponse
from ...received import ReceivedResponse
from ...types import Response


def build_request(
    training_run_id: str,
    checkpoint_kind: str,
    checkpoint_name: str,
) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for this operation."""

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/training_runs/{training_run_id}/checkpoints/{checkpoint_kind}/{checkpoint_name}/external_weights_urls".format(
            training_run_id=quote(str(training_run_id), safe=""),
            checkpoint_kind=quote(str(checkpoint_kind), safe=""),
            checkpoint_name=quote(str(checkpoint_name), safe=""),
        ),
    }
    return _kwargs


def parse_response(response: ReceivedResponse) -> ExternalWeightsUrlsResponse:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 200 <= response.status_code <= 299:
        response_2xx = ExternalWeightsUrlsResponse.from_dict(response.json())

        return response_2xx

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(
    client: AuthenticatedClient | Client, response: Any
) -> Response[ExternalWeightsUrlsResponse]:
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
    training_run_id: str,
    checkpoint_kind: str,
    checkpoint_name: str,
    *,
    client: AuthenticatedClient | Client,
) -> Response[ExternalWeightsUrlsResponse]:
    """Where to download external weights

     A signed URL for each file.

    Args:
        training_run_id (str):
        checkpoint_kind (str):
        checkpoint_name (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ExternalWeightsUrlsResponse]
    """

    request = build_request(
        training_run_id=training_run_id,
        checkpoint_kind=checkpoint_kind,
        checkpoint_name=checkpoint_name,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


def sync(
    training_run_id: str,
    checkpoint_kind: str,
    checkpoint_name: str,
    *,
    client: AuthenticatedClient | Client,
) -> ExternalWeightsUrlsResponse:
    """Where to download external weights

     A signed URL for each file.

    Args:
        training_run_id (str):
        checkpoint_kind (str):
        checkpoint_name (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ExternalWeightsUrlsResponse
    """

    request = build_request(
        training_run_id=training_run_id,
        checkpoint_kind=checkpoint_kind,
        checkpoint_name=checkpoint_name,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return parse_response(response)


async def asyncio_detailed(
    training_run_id: str,
    checkpoint_kind: str,
    checkpoint_name: str,
    *,
    client: AuthenticatedClient | Client,
) -> Response[ExternalWeightsUrlsResponse]:
    """Where to download external weights

     A signed URL for each file.

    Args:
        training_run_id (str):
        checkpoint_kind (str):
        checkpoint_name (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ExternalWeightsUrlsResponse]
    """

    request = build_request(
        training_run_id=training_run_id,
        checkpoint_kind=checkpoint_kind,
        checkpoint_name=checkpoint_name,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


async def asyncio(
    training_run_id: str,
    checkpoint_kind: str,
    checkpoint_name: str,
    *,
    client: AuthenticatedClient | Client,
) -> ExternalWeightsUrlsResponse:
    """Where to download external weights

     A signed URL for each file.

    Args:
        training_run_id (str):
        checkpoint_kind (str):
        checkpoint_name (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ExternalWeightsUrlsResponse
    """

    request = build_request(
        training_run_id=training_run_id,
        checkpoint_kind=checkpoint_kind,
        checkpoint_name=checkpoint_name,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return parse_response(response)
