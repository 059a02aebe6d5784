"""Building requests and parsing responses of operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tinker_api import models

from tinker_ext.config import ClientConfig
from tinker_ext.errors import APIResponseValidationError, ConfigurationError
from tinker_ext.testing import BASE_URL, FakeServer, Reply
from tinker_ext.transport import operations
from tinker_ext.transport.auth import FixedKey, exchange_key
from tinker_ext.transport.connections import build_gateway

if TYPE_CHECKING:
    from tinker_ext.redaction.secret import Secret
    from tinker_ext.transport.auth import KeySource
    from tinker_ext.transport.gateway import Gateway
    from tinker_ext.transport.operations import Request


class ExpiredKey(FixedKey):
    """A key source that raises instead of returning a key."""

    async def key(self) -> Secret | None:
        raise ConfigurationError("the API key has expired")

    current = key


def gateway(server: FakeServer, keys: KeySource | None = None) -> Gateway:
    config = ClientConfig.resolve(api_key="tml-test", base_url=BASE_URL)
    return build_gateway(config, BASE_URL, server, keys=keys)


def optim_step(learning_rate: Any) -> models.OptimStepRequest:
    params = models.AdamParams(learning_rate=learning_rate)
    return models.OptimStepRequest(model_id="m", seq_id=1, adam_params=params)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (None, AttributeError),
        (optim_step(object()), TypeError),
        (optim_step(np.arange(4)[::2]), TypeError),
    ],
    ids=["not a model", "not JSON", "array that is not contiguous"],
)
async def test_error_while_building_a_request_is_raised_unchanged(
    body: Any, error: type[Exception]
) -> None:
    server = FakeServer()
    with pytest.raises(error) as caught:
        await gateway(server).send(operations.optim_step(body=body))
    assert not isinstance(caught.value, APIResponseValidationError)
    assert server.received == []


@pytest.mark.parametrize("operation", [exchange_key, operations.get_health])
async def test_error_of_the_key_is_raised_unchanged(operation: Callable[[], Request[Any]]) -> None:
    server = FakeServer()
    with pytest.raises(ConfigurationError, match="has expired"):
        await gateway(server, ExpiredKey()).send(operation())
    assert server.received == []


@pytest.mark.parametrize("body", [[1], {}], ids=["array", "missing field"])
async def test_unparsable_response_raises_with_operation_and_request_id(body: Any) -> None:
    server = FakeServer()
    server.respond("create_session", Reply(200, body, {"X-Request-Id": "id-1"}))
    session = models.CreateSessionRequest(
        tags=[], user_metadata=models.UserMetadata(), sdk_version="1"
    )
    with pytest.raises(APIResponseValidationError) as caught:
        await gateway(server).send(operations.create_session(body=session))
    assert (caught.value.operation, caught.value.request_id) == ("create_session", "id-1")
