# Do not edit. Made by `make generate` from openapi/tinker.yaml.
import datetime
from http import HTTPStatus
from typing import Any

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.billing_usage_response import BillingUsageResponse
from ...received import ReceivedResponse
from ...types import UNSET, Response


def build_request(
    *,
    starting_on: datetime.datetime,
    ending_before: datetime.datetime,
) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for this operation."""

    params: dict[str, Any] = {}

    json_starting_on = starting_on.isoformat()
    params["starting_on"] = json_starting_on

    json_ending_before = ending_before.isoformat()
    params["ending_before"] = json_ending_before

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/billing/usage/events",
        "params": params,
    }
    return _kwargs


def parse_response(response: ReceivedResponse) -> BillingUsageResponse:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 200 <= response.status_code <= 299:
        response_2xx = BillingUsageResponse.from_dict(response.json())

        return response_2xx

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(
    client: AuthenticatedClient | Client, response: Any
) -> Response[BillingUsageResponse]:
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
    starting_on: datetime.datetime,
    ending_before: datetime.datetime,
) -> Response[BillingUsageResponse]:
    """Hourly usage

     At most 14 days at a time, from one full hour of UTC to another.

    Args:
        starting_on (datetime.datetime):
        ending_before (datetime.datetime):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[BillingUsageResponse]
    """

    request = build_request(
        starting_on=starting_on,
        ending_before=ending_before,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


def sync(
    *,
    client: AuthenticatedClient | Client,
    starting_on: datetime.datetime,
    ending_before: datetime.datetime,
) -> BillingUsageResponse:
    """Hourly usage

     At most 14 days at a time, from one full hour of UTC to another.

    Args:
        starting_on (datetime.datetime):
        ending_before (datetime.datetime):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        BillingUsageResponse
    """

    request = build_request(
        starting_on=starting_on,
        ending_before=ending_before,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return parse_response(response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    starting_on: datetime.datetime,
    ending_before: datetime.datetime,
) -> Response[BillingUsageResponse]:
    """Hourly usage

     At most 14 days at a time, from one full hour of UTC to another.

    Args:
        starting_on (datetime.datetime):
        ending_before (datetime.datetime):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[BillingUsageResponse]
    """

    request = build_request(
        starting_on=starting_on,
        ending_before=ending_before,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


async def asyncio(
    *,
    client: AuthenticatedClient | Client,
    starting_on: datetime.datetime,
    ending_before: datetime.datetime,
) -> BillingUsageResponse:
    """Hourly usage

     At most 14 days at a time, from one full hour of UTC to another.

    Args:
        starting_on (datetime.datetime):
        ending_before (datetime.datetime):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        BillingUsageResponse
    """

    request = build_request(
        starting_on=starting_on,
        ending_before=ending_before,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return parse_response(response)
