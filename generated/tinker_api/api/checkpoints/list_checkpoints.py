# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.checkpoints_list_response import CheckpointsListResponse
from ...received import ReceivedResponse
from ...types import Response


def build_request(
    training_run_id: str,
) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for this operation."""

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/training_runs/{training_run_id}/checkpoints".format(
            training_run_id=quote(str(training_run_id), safe=""),
        ),
    }
    return _kwargs


def parse_response(response: ReceivedResponse) -> CheckpointsListResponse:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 200 <= response.status_code <= 299:
        response_2xx = CheckpointsListResponse.from_dict(response.json())

        return response_2xx

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(
    client: AuthenticatedClient | Client, response: Any
) -> Response[CheckpointsListResponse]:
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
    *,
    client: AuthenticatedClient | Client,
) -> Response[CheckpointsListResponse]:
    """List the checkpoints of a training run

     All of them, without pages.

    Args:
        training_run_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[CheckpointsListResponse]
    """

    request = build_request(
        training_run_id=training_run_id,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


def sync(
    training_run_id: str,
    *,
    client: AuthenticatedClient | Client,
) -> CheckpointsListResponse:
    """List the checkpoints of a training run

     All of them, without pages.

    Args:
        training_run_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        CheckpointsListResponse
    """

    request = build_request(
        training_run_id=training_run_id,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return parse_response(response)


async def asyncio_detailed(
    training_run_id: str,
    *,
    client: AuthenticatedClient | Client,
) -> Response[CheckpointsListResponse]:
    """List the checkpoints of a training run

     All of them, without pages.

    Args:
        training_run_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[CheckpointsListResponse]
    """

    request = build_request(
        training_run_id=training_run_id,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


async def asyncio(
    training_run_id: str,
    *,
    client: AuthenticatedClient | Client,
) -> CheckpointsListResponse:
    """List the checkpoints of a training run

     All of them, without pages.

    Args:
        training_run_id (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        CheckpointsListResponse
    """

    request = build_request(
        training_run_id=training_run_id,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return parse_response(response)
