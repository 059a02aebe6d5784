# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.access_scope import AccessScope
from ...models.training_run import TrainingRun
from ...received import ReceivedResponse
from ...types import UNSET, Response, Unset


def build_request(
    training_run_id: str,
    *,
    access_scope: AccessScope | Unset = UNSET,
) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for this operation."""

    params: dict[str, Any] = {}

    json_access_scope: str | Unset = UNSET
    if not isinstance(access_scope, Unset):
        json_access_scope = access_scope

    params["access_scope"] = json_access_scope

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/training_runs/{training_run_id}".format(
            training_run_id=quote(str(training_run_id), safe=""),
        ),
        "params": params,
    }
    return _kwargs


def parse_response(response: ReceivedResponse) -> TrainingRun:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 200 <= response.status_code <= 299:
        response_2xx = TrainingRun.from_dict(response.json())

        return response_2xx

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(client: AuthenticatedClient | Client, response: Any) -> Response[TrainingRun]:
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
    access_scope: AccessScope | Unset = UNSET,
) -> Response[TrainingRun]:
    """Describe a training run

     The run's base model, adapter and latest checkpoints.

    Args:
        training_run_id (str):
        access_scope (AccessScope | Unset): `owned`: the caller's own; `accessible`: all the
            caller may see.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[TrainingRun]
    """

    request = build_request(
        training_run_id=training_run_id,
        access_scope=access_scope,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


def sync(
    training_run_id: str,
    *,
    client: AuthenticatedClient | Client,
    access_scope: AccessScope | Unset = UNSET,
) -> TrainingRun:
    """Describe a training run

     The run's base model, adapter and latest checkpoints.

    Args:
        training_run_id (str):
        access_scope (AccessScope | Unset): `owned`: the caller's own; `accessible`: all the
            caller may see.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        TrainingRun
    """

    request = build_request(
        training_run_id=training_run_id,
        access_scope=access_scope,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return parse_response(response)


async def asyncio_detailed(
    training_run_id: str,
    *,
    client: AuthenticatedClient | Client,
    access_scope: AccessScope | Unset = UNSET,
) -> Response[TrainingRun]:
    """Describe a training run

     The run's base model, adapter and latest checkpoints.

    Args:
        training_run_id (str):
        access_scope (AccessScope | Unset): `owned`: the caller's own; `accessible`: all the
            caller may see.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[TrainingRun]
    """

    request = build_request(
        training_run_id=training_run_id,
        access_scope=access_scope,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


async def asyncio(
    training_run_id: str,
    *,
    client: AuthenticatedClient | Client,
    access_scope: AccessScope | Unset = UNSET,
) -> TrainingRun:
    """Describe a training run

     The run's base model, adapter and latest checkpoints.

    Args:
        training_run_id (str):
        access_scope (AccessScope | Unset): `owned`: the caller's own; `accessible`: all the
            caller may see.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        TrainingRun
    """

    request = build_request(
        training_run_id=training_run_id,
        access_scope=access_scope,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return parse_response(response)
