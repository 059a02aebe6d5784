"""The kept lists of the official SDKs' public names are what their packages have."""

from __future__ import annotations

import pytest
from interop.names import RELEASES, names_of, recorded

# The first run makes the environments as well.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]


@pytest.mark.parametrize("release", RELEASES)
def test_the_kept_names_are_true(release: str) -> None:
    """`make names` writes them."""
    assert recorded(release) == names_of(release)
