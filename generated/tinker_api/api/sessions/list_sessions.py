# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.access_scope import AccessScope
from ...models.list_sessions_response import ListSessionsResponse
from ...received import ReceivedResponse
from ...types import UNSET, Response, Unset


def build_request(
    *,
    limit: int | Unset = 20,
    offset: int | Unset = 0,
    access_scope: AccessScope | Unset = UNSET,
) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for this operation."""

    params: dict[str, Any] = {}

    params["limit"] = limit

    params["offset"] = offset

    json_access_scope: str | Unset = UNSET
    if not isinstance(access_scope, Unset):
        json_access_scope = access_scope

    params["access_scope"] = json_access_scope

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/sessions",
        "params": params,
    }
    return _kwargs


def parse_response(response: ReceivedResponse) -> ListSessionsResponse:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 200 <= response.status_code <= 299:
        response_2xx = ListSessionsResponse.from_dict(response.json())

        return response_2xx

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(
    client: AuthenticatedClient | Client, response: Any
) -> Response[ListSessionsResponse]:
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
    limit: int | Unset = 20,
    offset: int | Unset = 0,
    access_scope: AccessScope | Unset = UNSET,
) -> Response[ListSessionsResponse]:
    """List sessions

     One page of session ids, latest first.

    Args:
        limit (int | Unset):  Default: 20.
        offset (int | Unset):  Default: 0.
        access_scope (AccessScope | Unset): `owned`: the caller's own; `accessible`: all the
            caller may see.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ListSessionsResponse]
    """

    request = build_request(
        limit=limit,
        offset=offset,
        access_scope=access_scope,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


def sync(
    *,
    client: AuthenticatedClient | Client,
    limit: int | Unset = 20,
    offset: int | Unset = 0,
    access_scope: AccessScope | Unset = UNSET,
) -> ListSessionsResponse:
    """List sessions

     One page of session ids, latest first.

    Args:
        limit (int | Unset):  Default: 20.
        offset (int | Unset):  Default: 0.
        access_scope (AccessScope | Unset): `owned`: the caller's own; `accessible`: all the
            caller may see.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ListSessionsResponse
    """

    request = build_request(
        limit=limit,
        offset=offset,
        access_scope=access_scope,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return parse_response(response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    limit: int | Unset = 20,
    offset: int | Unset = 0,
    access_scope: AccessScope | Unset = UNSET,
) -> Response[ListSessionsResponse]:
    """List sessions

     One page of session ids, latest first.

    Args:
        limit (int | Unset):  Default: 20.
        offset (int | Unset):  Default: 0.
        access_scope (AccessScope | Unset): `owned`: the caller's own; `accessible`: all the
            caller may see.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ListSessionsResponse]
    """

    request = build_request(
        limit=limit,
        offset=offset,
        access_scope=access_scope,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


async def asyncio(
    *,
    client: AuthenticatedClient | Client,
    limit: int | Unset = 20,
    offset: int | Unset = 0,
    access_scope: AccessScope | Unset = UNSET,
) -> ListSessionsResponse:
    """List sessions

     One page of session ids, latest first.

    Args:
        limit (int | Unset):  Default: 20.
        offset (int | Unset):  Default: 0.
        access_scope (AccessScope | Unset): `owned`: the caller's own; `accessible`: all the
            caller may see.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ListSessionsResponse
    """

    request = build_request(
        limit=limit,
        offset=offset,
        access_scope=access_scope,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return parse_response(response)
