"""The official SDKs are run once, for all that is asked about it."""

from __future__ import annotations

import pytest
from interop.traffic import Traffic, kept_releases, traffic_of


@pytest.fixture(scope="session")
def traffic() -> dict[str, Traffic]:
    """What each kept release's SDK said and was answered. Takes most of a minute."""
    return traffic_of(kept_releases())
