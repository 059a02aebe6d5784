"""What was sent, held to the specification of a release."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tinker_ext.embedded.dialects import specification_of
from tinker_ext.testing import Received

Fits = Callable[[Received, str], None]


@pytest.fixture(scope="session")
def fits() -> Fits:
    """Fails where a request does not fit what the dialect's release has for its operation."""

    def check(received: Received, dialect: str) -> None:
        operation = specification_of(dialect).operations[received.operation]
        assert received.method == operation.method
        operation.query(received.query)
        if operation.takes_body:
            operation.check(received.body)

    return check
