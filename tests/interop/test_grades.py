"""Both clients of this project pass the grader; ports/GRADES.md lists the failures of others."""

from __future__ import annotations

import pytest

from conformance.interop.grades import (
    GRADES,
    OFFICIAL,
    elixir_clients,
    graded,
    listed_failures,
)
from tinker_ext.testing.conformance import RULES, Grade, Report

# The first run also creates environments and compiles the TypeScript client.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

# A client that breaks one of these passes it on a machine that is busy for seconds.
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
    assert {verdict.rule for verdict in report.verdicts} == set(RULES)


@pytest.mark.skipif(not elixir_clients(), reason="needs elixir and erlang-jiffy")
def test_elixir_client_passes_every_rule_of_its_protocols(reports: dict[str, Report]) -> None:
    [report] = [item for name, item in reports.items() if "Elixir" in name]
    assert [verdict for verdict in report.verdicts if verdict.grade is not Grade.PASS] == []
    assert len(report.verdicts) >= 48


@pytest.mark.parametrize("release", OFFICIAL)
def test_failures_of_official_clients_are_listed(reports: dict[str, Report], release: str) -> None:
    measured = {
        item for item in failures(reports[f"tinker {release}"]) if item[0] not in _NEED_SPEED
    }
    document = listed_failures(GRADES.read_text(encoding="utf-8"))
    listed = {item for item in document[f"tinker {release}"] if item[0] not in _NEED_SPEED}
    assert measured == listed, "ports/GRADES.md lists other failures: run `make grades`"
