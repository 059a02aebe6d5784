# Do not edit. Made by `make generate` from openapi/tinker.yaml.
import datetime
from http import HTTPStatus
from typing import Any

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.audit_event_type import AuditEventType
from ...models.audit_log_response import AuditLogResponse
from ...received import ReceivedResponse
from ...types import UNSET, Response, Unset


def build_request(
    *,
    event_type: AuditEventType | Unset = UNSET,
    day: datetime.date | Unset = UNSET,
) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for this operation."""

    params: dict[str, Any] = {}

    json_event_type: str | Unset = UNSET
    if not isinstance(event_type, Unset):
        json_event_type = event_type

    params["event_type"] = json_event_type

    json_day: str | Unset = UNSET
    if not isinstance(day, Unset):
        json_day = day.isoformat()
    params["day"] = json_day

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/audit",
        "params": params,
    }
    return _kwargs


def parse_response(response: ReceivedResponse) -> AuditLogResponse:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 200 <= response.status_code <= 299:
        response_2xx = AuditLogResponse.from_dict(response.json())

        return response_2xx

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(client: AuthenticatedClient | Client, response: Any) -> Response[AuditLogResponse]:
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
    event_type: AuditEventType | Unset = UNSET,
    day: datetime.date | Unset = UNSET,
) -> Response[AuditLogResponse]:
    """What happened in the organization

     The events of one day. May redirect to storage, which is followed.

    Args:
        event_type (AuditEventType | Unset): Kinds of events.
        day (datetime.date | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[AuditLogResponse]
    """

    request = build_request(
        event_type=event_type,
        day=day,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


def sync(
    *,
    client: AuthenticatedClient | Client,
    event_type: AuditEventType | Unset = UNSET,
    day: datetime.date | Unset = UNSET,
) -> AuditLogResponse:
    """What happened in the organization

     The events of one day. May redirect to storage, which is followed.

    Args:
        event_type (AuditEventType | Unset): Kinds of events.
        day (datetime.date | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        AuditLogResponse
    """

    request = build_request(
        event_type=event_type,
        day=day,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return parse_response(response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    event_type: AuditEventType | Unset = UNSET,
    day: datetime.date | Unset = UNSET,
) -> Response[AuditLogResponse]:
    """What happened in the organization

     The events of one day. May redirect to storage, which is followed.

    Args:
        event_type (AuditEventType | Unset): Kinds of events.
        day (datetime.date | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[AuditLogResponse]
    """

    request = build_request(
        event_type=event_type,
        day=day,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


async def asyncio(
    *,
    client: AuthenticatedClient | Client,
    event_type: AuditEventType | Unset = UNSET,
    day: datetime.date | Unset = UNSET,
) -> AuditLogResponse:
    """What happened in the organization

     The events of one day. May redirect to storage, which is followed.

    Args:
        event_type (AuditEventType | Unset): Kinds of events.
        day (datetime.date | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        AuditLogResponse
    """

    request = build_request(
        event_type=event_type,
        day=day,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return parse_response(response)
