# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.session_search_request import SessionSearchRequest
from ...models.session_search_response import SessionSearchResponse
from ...received import ReceivedResponse
from ...types import UNSET, Response, Unset


def build_request(
    *,
    body: SessionSearchRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for this operation."""
    headers: dict[str, Any] = {}
    if not isinstance(x_idempotency_key, Unset):
        headers["X-Idempotency-Key"] = x_idempotency_key

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/sessions/search",
    }
    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"
    _kwargs["headers"] = headers
    return _kwargs


def parse_response(response: ReceivedResponse) -> SessionSearchResponse:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 200 <= response.status_code <= 299:
        response_2xx = SessionSearchResponse.from_dict(response.json())

        return response_2xx

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(
    client: AuthenticatedClient | Client, response: Any
) -> Response[SessionSearchResponse]:
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
    body: SessionSearchRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> Response[SessionSearchResponse]:
    """Search sessions

     Changes nothing; a POST because of its body. Marked experimental by the client.

    Args:
        x_idempotency_key (str | Unset):
        body (SessionSearchRequest): What sessions to look for. Everything given must hold, but
            session_id and display_name are alternatives.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[SessionSearchResponse]
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
    body: SessionSearchRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> SessionSearchResponse:
    """Search sessions

     Changes nothing; a POST because of its body. Marked experimental by the client.

    Args:
        x_idempotency_key (str | Unset):
        body (SessionSearchRequest): What sessions to look for. Everything given must hold, but
            session_id and display_name are alternatives.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        SessionSearchResponse
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
    body: SessionSearchRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> Response[SessionSearchResponse]:
    """Search sessions

     Changes nothing; a POST because of its body. Marked experimental by the client.

    Args:
        x_idempotency_key (str | Unset):
        body (SessionSearchRequest): What sessions to look for. Everything given must hold, but
            session_id and display_name are alternatives.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[SessionSearchResponse]
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
    body: SessionSearchRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> SessionSearchResponse:
    """Search sessions

     Changes nothing; a POST because of its body. Marked experimental by the client.

    Args:
        x_idempotency_key (str | Unset):
        body (SessionSearchRequest): What sessions to look for. Everything given must hold, but
            session_id and display_name are alternatives.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        SessionSearchResponse
    """

    request = build_request(
        body=body,
        x_idempotency_key=x_idempotency_key,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return parse_response(response)
