"""The traffic of the official SDK of each kept release is valid under its specification.

All public methods are called, on the embedded backend or a scripted server.
"""

from __future__ import annotations

import json

import pytest

from codegen.build import kept_releases
from conformance.interop.traffic import TRAFFIC, Traffic, document

# The first run also creates the environments.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]

RELEASES = kept_releases()
EXPECTED_SHARE = 0.9


@pytest.mark.parametrize("release", RELEASES)
class TestRelease:
    def test_every_step_succeeds(self, traffic: dict[str, Traffic], release: str) -> None:
        assert traffic[release].failures == {}

    def test_traffic_is_valid(self, traffic: dict[str, Traffic], release: str) -> None:
        assert traffic[release].problems == []

    def test_most_operations_are_confirmed(self, traffic: dict[str, Traffic], release: str) -> None:
        summary = traffic[release].summary
        assert len(summary["confirmed"]) >= EXPECTED_SHARE * summary["operations"]


def test_traffic_json_is_up_to_date(traffic: dict[str, Traffic]) -> None:
    """`make traffic` writes it, and keeps the entries of servers of other projects."""
    content = json.loads(TRAFFIC.read_text(encoding="utf-8"))
    assert content == document(traffic, content["servers"])
