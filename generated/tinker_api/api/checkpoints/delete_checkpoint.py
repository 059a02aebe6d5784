# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from ... import errors
from ...client import AuthenticatedClient, Client
from ...received import ReceivedResponse
from ...types import UNSET, Response, Unset


def build_request(
    training_run_id: str,
    checkpoint_kind: str,
    checkpoint_name: str,
    *,
    x_idempotency_key: str | Unset = UNSET,
) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for this operation."""
    headers: dict[str, Any] = {}
    if not isinstance(x_idempotency_key, Unset):
        headers["X-Idempotency-Key"] = x_idempotency_key

    _kwargs: dict[str, Any] = {
        "method": "delete",
        "url": "/api/v1/training_runs/{training_run_id}/checkpoints/{checkpoint_kind}/{checkpoint_name}".format(
            training_run_id=quote(str(training_run_id), safe=""),
            checkpoint_kind=quote(str(checkpoint_kind), safe=""),
            checkpoint_name=quote(str(checkpoint_name), safe=""),
        ),
    }
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
    training_run_id: str,
    checkpoint_kind: str,
    checkpoint_name: str,
    *,
    client: AuthenticatedClient | Client,
    x_idempotency_key: str | Unset = UNSET,
) -> Response[Any]:
    """Delete a checkpoint

     For good.

    Args:
        training_run_id (str):
        checkpoint_kind (str):
        checkpoint_name (str):
        x_idempotency_key (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any]
    """

    request = build_request(
        training_run_id=training_run_id,
        checkpoint_kind=checkpoint_kind,
        checkpoint_name=checkpoint_name,
        x_idempotency_key=x_idempotency_key,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


async def asyncio_detailed(
    training_run_id: str,
    checkpoint_kind: str,
    checkpoint_name: str,
    *,
    client: AuthenticatedClient | Client,
    x_idempotency_key: str | Unset = UNSET,
) -> Response[Any]:
    """Delete a checkpoint

     For good.

    Args:
        training_run_id (str):
        checkpoint_kind (str):
        checkpoint_name (str):
        x_idempotency_key (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any]
    """

    request = build_request(
        training_run_id=training_run_id,
        checkpoint_kind=checkpoint_kind,
        checkpoint_name=checkpoint_name,
        x_idempotency_key=x_idempotency_key,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)
