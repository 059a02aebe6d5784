# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.checkpoint_archive_url_response import CheckpointArchiveUrlResponse
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
        "url": "/api/v1/training_runs/{training_run_id}/checkpoints/{checkpoint_kind}/{checkpoint_name}/archive".format(
            training_run_id=quote(str(training_run_id), safe=""),
            checkpoint_kind=quote(str(checkpoint_kind), safe=""),
            checkpoint_name=quote(str(checkpoint_name), safe=""),
        ),
    }
    return _kwargs


def parse_response(response: ReceivedResponse) -> Any | CheckpointArchiveUrlResponse:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 302 <= response.status_code <= 302:
        response_302 = cast(Any, None)
        return response_302

    if 200 <= response.status_code <= 299:
        response_2xx = CheckpointArchiveUrlResponse.from_dict(response.json())

        return response_2xx

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(
    client: AuthenticatedClient | Client, response: Any
) -> Response[Any | CheckpointArchiveUrlResponse]:
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
) -> Response[Any | CheckpointArchiveUrlResponse]:
    """Where to download a checkpoint

     Redirects to a signed URL of a gzipped tar file. The redirect is the response: it is not followed,
    because the key must not go to another host.

    Args:
        training_run_id (str):
        checkpoint_kind (str):
        checkpoint_name (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | CheckpointArchiveUrlResponse]
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
) -> Any | CheckpointArchiveUrlResponse:
    """Where to download a checkpoint

     Redirects to a signed URL of a gzipped tar file. The redirect is the response: it is not followed,
    because the key must not go to another host.

    Args:
        training_run_id (str):
        checkpoint_kind (str):
        checkpoint_name (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | CheckpointArchiveUrlResponse
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
) -> Response[Any | CheckpointArchiveUrlResponse]:
    """Where to download a checkpoint

     Redirects to a signed URL of a gzipped tar file. The redirect is the response: it is not followed,
    because the key must not go to another host.

    Args:
        training_run_id (str):
        checkpoint_kind (str):
        checkpoint_name (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | CheckpointArchiveUrlResponse]
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
) -> Any | CheckpointArchiveUrlResponse:
    """Where to download a checkpoint

     Redirects to a signed URL of a gzipped tar file. The redirect is the response: it is not followed,
    because the key must not go to another host.

    Args:
        training_run_id (str):
        checkpoint_kind (str):
        checkpoint_name (str):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | CheckpointArchiveUrlResponse
    """

    request = build_request(
        training_run_id=training_run_id,
        checkpoint_kind=checkpoint_kind,
        checkpoint_name=checkpoint_name,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return parse_response(response)
