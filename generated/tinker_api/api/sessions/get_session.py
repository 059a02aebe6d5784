# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.access_scope import AccessScope
from ...models.get_session_response import GetSessionResponse
from ...received import ReceivedResponse
from ...types import UNSET, Response, Unset


def build_request(
    session_id: str,
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
        "url": "/api/v1/sessions/{session_id}".format(
            session_id=quote(str(session_id), safe=""),
        ),
        "params": params,
    }
    return _kwargs


def parse_response(response: ReceivedResponse) -> GetSessionResponse:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 200 <= response.status_code <= 299:
        response_2xx = GetSessionResponse.from_dict(response.json())

        return response_2xx

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(client: AuthenticatedClient | Client, response: Any) -> Response[GetSessionResponse]:
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
    session_id: str,
    *,
    client: AuthenticatedClient | Client,
    access_scope: AccessScope | Unset = UNSET,
) -> Response[GetSessionResponse]:
    """Describe a session

     Which training runs and samplers belong to it.

    Args:
        session_id (str):
        access_scope (AccessScope | Unset): `owned`: the caller's own; `accessible`: all the
            caller may see.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GetSessionResponse]
    """

    request = build_request(
        session_id=session_id,
        access_scope=access_scope,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


def sync(
    session_id: str,
    *,
    client: AuthenticatedClient | Client,
    access_scope: AccessScope | Unset = UNSET,
) -> GetSessionResponse:
    """Describe a session

     Which training runs and samplers belong to it.

    Args:
        session_id (str):
        access_scope (AccessScope | Unset): `owned`: the caller's own; `accessible`: all the
            caller may see.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GetSessionResponse
    """

    request = build_request(
        session_id=session_id,
        access_scope=access_scope,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return parse_response(response)


async def asyncio_detailed(
    session_id: str,
    *,
    client: AuthenticatedClient | Client,
    access_scope: AccessScope | Unset = UNSET,
) -> Response[GetSessionResponse]:
    """Describe a session

     Which training runs and samplers belong to it.

    Args:
        session_id (str):
        access_scope (AccessScope | Unset): `owned`: the caller's own; `accessible`: all the
            caller may see.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[GetSessionResponse]
    """

    request = build_request(
        session_id=session_id,
        access_scope=access_scope,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


async def asyncio(
    session_id: str,
    *,
    client: AuthenticatedClient | Client,
    access_scope: AccessScope | Unset = UNSET,
) -> GetSessionResponse:
    """Describe a session

     Which training runs and samplers belong to it.

    Args:
        session_id (str):
        access_scope (AccessScope | Unset): `owned`: the caller's own; `accessible`: all the
            caller may see.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        GetSessionResponse
    """

    request = build_request(
        session_id=session_id,
        access_scope=access_scope,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return parse_response(response)
