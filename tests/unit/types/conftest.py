"""What the tests of this folder share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def wire() -> Callable[[Any], Any]:
    """What a server reads of something with ``to_api()``: encoded as the transport does."""

    def read(value: Any) -> Any:
        body = orjson.dumps(value.to_api().to_dict(), option=orjson.OPT_SERIALIZE_NUMPY)
        return orjson.loads(body)

    return read
