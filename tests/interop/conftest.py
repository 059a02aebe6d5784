"""The traffic of the official SDKs, recorded once per test session."""

from __future__ import annotations

import pytest

from codegen.build import kept_releases
from conformance.interop.traffic import Traffic, traffic_of


@pytest.fixture(scope="session")
def traffic() -> dict[str, Traffic]:
    """The traffic of each kept release, which takes most of a minute to record."""
    return traffic_of(kept_releases())
