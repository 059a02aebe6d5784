"""The recorded public names of the official SDKs match their packages."""

from __future__ import annotations

import pytest

from conformance.interop.public_names import RELEASES, names_of, recorded

# The first run also creates the environments.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]


@pytest.mark.parametrize("release", RELEASES)
def test_recorded_names_match_the_package(release: str) -> None:
    """`make names` writes them."""
    assert recorded(release) == names_of(release)
