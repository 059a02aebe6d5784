# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from http import HTTPStatus
from typing import Any

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.copy_weights_request import CopyWeightsRequest
from ...models.copy_weights_response import CopyWeightsResponse
from ...received import ReceivedResponse
from ...types import UNSET, Response, Unset


def build_request(
    *,
    body: CopyWeightsRequest,
    x_idempotency_key: str | Unset = UNSET,
    x_tinker_weights_access_token: str | Unset = UNSET,
) -> dict[str, Any]:
    """The arguments of `httpx.Client.request` for this operation."""
    headers: dict[str, Any] = {}
    if not isinstance(x_idempotency_key, Unset):
        headers["X-Idempotency-Key"] = x_idempotency_key

    if not isinstance(x_tinker_weights_access_token, Unset):
        headers["X-Tinker-Weights-Access-Token"] = x_tinker_weights_access_token

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/copy_weights",
    }
    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"
    _kwargs["headers"] = headers
    return _kwargs


def parse_response(response: ReceivedResponse) -> CopyWeightsResponse:
    """The value of a documented response.

    Raises:
        errors.UnexpectedStatus: the status code is not documented.
    """
    if 200 <= response.status_code <= 299:
        response_2xx = CopyWeightsResponse.from_dict(response.json())

        return response_2xx

    raise errors.UnexpectedStatus(response.status_code, response.content)


def _detailed(client: AuthenticatedClient | Client, response: Any) -> Response[CopyWeightsResponse]:
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
    body: CopyWeightsRequest,
    x_idempotency_key: str | Unset = UNSET,
    x_tinker_weights_access_token: str | Unset = UNSET,
) -> Response[CopyWeightsResponse]:
    """Copy saved weights

     Into a session's training run, or into a project. Returns the result directly. The key of
    X-Idempotency-Key stays the same for all attempts, and X-Tinker-Weights-Access-Token opens weights
    of another account.

    Args:
        x_idempotency_key (str | Unset):
        x_tinker_weights_access_token (str | Unset):
        body (CopyWeightsRequest): Copies saved weights. The destination is a project, or a
            session with a number for the new run.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[CopyWeightsResponse]
    """

    request = build_request(
        body=body,
        x_idempotency_key=x_idempotency_key,
        x_tinker_weights_access_token=x_tinker_weights_access_token,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


def sync(
    *,
    client: AuthenticatedClient | Client,
    body: CopyWeightsRequest,
    x_idempotency_key: str | Unset = UNSET,
    x_tinker_weights_access_token: str | Unset = UNSET,
) -> CopyWeightsResponse:
    """Copy saved weights

     Into a session's training run, or into a project. Returns the result directly. The key of
    X-Idempotency-Key stays the same for all attempts, and X-Tinker-Weights-Access-Token opens weights
    of another account.

    Args:
        x_idempotency_key (str | Unset):
        x_tinker_weights_access_token (str | Unset):
        body (CopyWeightsRequest): Copies saved weights. The destination is a project, or a
            session with a number for the new run.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        CopyWeightsResponse
    """

    request = build_request(
        body=body,
        x_idempotency_key=x_idempotency_key,
        x_tinker_weights_access_token=x_tinker_weights_access_token,
    )
    response = client.get_httpx_client().request(**client.encoded(request))
    return parse_response(response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    body: CopyWeightsRequest,
    x_idempotency_key: str | Unset = UNSET,
    x_tinker_weights_access_token: str | Unset = UNSET,
) -> Response[CopyWeightsResponse]:
    """Copy saved weights

     Into a session's training run, or into a project. Returns the result directly. The key of
    X-Idempotency-Key stays the same for all attempts, and X-Tinker-Weights-Access-Token opens weights
    of another account.

    Args:
        x_idempotency_key (str | Unset):
        x_tinker_weights_access_token (str | Unset):
        body (CopyWeightsRequest): Copies saved weights. The destination is a project, or a
            session with a number for the new run.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[CopyWeightsResponse]
    """

    request = build_request(
        body=body,
        x_idempotency_key=x_idempotency_key,
        x_tinker_weights_access_token=x_tinker_weights_access_token,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return _detailed(client, response)


async def asyncio(
    *,
    client: AuthenticatedClient | Client,
    body: CopyWeightsRequest,
    x_idempotency_key: str | Unset = UNSET,
    x_tinker_weights_access_token: str | Unset = UNSET,
) -> CopyWeightsResponse:
    """Copy saved weights

     Into a session's training run, or into a project. Returns the result directly. The key of
    X-Idempotency-Key stays the same for all attempts, and X-Tinker-Weights-Access-Token opens weights
    of another account.

    Args:
        x_idempotency_key (str | Unset):
        x_tinker_weights_access_token (str | Unset):
        body (CopyWeightsRequest): Copies saved weights. The destination is a project, or a
            session with a number for the new run.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        CopyWeightsResponse
    """

    request = build_request(
        body=body,
        x_idempotency_key=x_idempotency_key,
        x_tinker_weights_access_token=x_tinker_weights_access_token,
    )
    response = await client.get_async_httpx_client().request(**client.encoded(request))
    return parse_response(response)
