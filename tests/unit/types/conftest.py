"""Fixtures of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest


@pytest.fixture
def wire() -> Callable[[Any], Any]:
    """Encodes an object with ``to_api()`` as the transport does, and parses the JSON."""

    def encode(value: Any) -> Any:
        body = orjson.dumps(value.to_api().to_dict(), option=orjson.OPT_SERIALIZE_NUMPY)
        return orjson.loads(body)

    return encode
