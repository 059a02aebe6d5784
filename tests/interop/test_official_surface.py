"""The official SDK of each kept release says and takes what the specification of it has.

All its public methods are called, against the embedded backend or a scripted server.
"""

from __future__ import annotations

import json

import pytest
from interop.traffic import TRAFFIC, Traffic, document, kept_releases

# The first run makes the environments as well.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]

RELEASES = kept_releases()
EXPECTED_SHARE = 0.9


@pytest.mark.parametrize("release", RELEASES)
class TestRelease:
    def test_every_step_succeeds(self, traffic: dict[str, Traffic], release: str) -> None:
        assert traffic[release].failures == {}

    def test_everything_is_as_specified(self, traffic: dict[str, Traffic], release: str) -> None:
        assert traffic[release].problems == []

    def test_most_operations_are_confirmed(self, traffic: dict[str, Traffic], release: str) -> None:
        summary = traffic[release].summary
        assert len(summary["confirmed"]) >= EXPECTED_SHARE * summary["operations"]


def test_the_kept_record_is_true(traffic: dict[str, Traffic]) -> None:
    """`make traffic` writes it."""
    assert json.loads(TRAFFIC.read_text(encoding="utf-8")) == document(traffic)
