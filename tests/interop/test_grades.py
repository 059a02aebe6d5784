"""Both clients of this project pass the grader; ports/GRADES.md lists the failures of others."""

from __future__ import annotations

import pytest

from conformance.interop.grades import GRADES, OFFICIAL, graded, listed_failures
from tinker_ext.testing.conformance import RULES, Grade, Report

# The first run also creates environments and compiles the TypeScript client.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

# A client that breaks one of these is not found out on a machine that is busy for seconds.
_NEED_SPEED = {"attempts.shared_pause", "heartbeats.interval", "polls.limited", "polls.pause"}


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    return {report.client: report for report in graded()}


def failures(report: Report) -> set[tuple[str, str]]:
    return {(verdict.rule, verdict.protocol) for verdict in report.failures}


def test_python_client_passes_every_rule(reports: dict[str, Report]) -> None:
    [report] = [item for name, item in reports.items() if name.startswith("tinker_ext ")]
    assert [verdict for verdict in report.verdicts if verdict.grade is not Grade.PASS] == []
    assert {verdict.rule for verdict in report.verdicts} == set(RULES)


def test_typescript_client_passes_every_rule_of_its_protocols(reports: dict[str, Report]) -> None:
    [report] = [item for name, item in reports.items() if "TypeScript" in name]
    assert [verdict for verdict in report.verdicts if verdict.grade is not Grade.PASS] == []
    assert len(report.verdicts) >= 48


@pytest.mark.parametrize("release", OFFICIAL)
def test_failures_of_official_clients_are_listed(reports: dict[str, Report], release: str) -> None:
    measured = failures(reports[f"tinker {release}"])
    listed = listed_failures(GRADES.read_text(encoding="utf-8"))[f"tinker {release}"]
    unlisted = measured - listed
    assert not unlisted, list(reports[f"tinker {release}"].failures)
    passed = {(rule, protocol) for rule, protocol in listed - measured if rule not in _NEED_SPEED}
    assert passed == set(), "listed in ports/GRADES.md, and passed: run `make grades`"
