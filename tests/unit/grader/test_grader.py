"""The grader passes this project's client and fails a naive one, rule by rule."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tinker_ext.cli.main import program
from tinker_ext.testing.conformance import RULES, DriverError, Grade, Level, Report, grade, table
from tinker_ext.testing.conformance.grader import driver_environment
from tinker_ext.testing.conformance.play import KEY, SCENARIOS, Verdict

ROOT = Path(__file__).parents[3]
OURS = (sys.executable, "-m", "tinker_ext.testing.conformance.driver")
NAIVE = (sys.executable, str(Path(__file__).with_name("naive_driver.py")))
# A scenario of each module that waits for no heartbeat and no Retry-After.
QUICK = ("bad_request", "failed_operation", "limit_of_the_server", "protobuf", "four_calls")


def script(body: str) -> tuple[str, ...]:
    return sys.executable, "-c", body


def test_this_client_passes_quick_scenarios_with_both_protocols() -> None:
    report = grade(OURS, names=QUICK)
    assert [verdict for verdict in report.verdicts if verdict.grade is not Grade.PASS] == []
    assert {verdict.protocol for verdict in report.verdicts} == {"0.4.1", "0.38.0"}
    rules = {rule for name in QUICK for rule in SCENARIOS[name].rules}
    assert {verdict.rule for verdict in report.verdicts} == rules
    assert report.is_conformant
    assert report.client.startswith("tinker_ext ")


@pytest.mark.parametrize(
    ("scenario", "failed", "received"),
    [
        ("first_calls", {"headers.idempotency"}, "missing in create_session"),
        ("rejected_request", {"order.rejected"}, "seq_id 1, 2, 3"),
        ("lost_response", {"order.lost"}, "RemoteDisconnected"),
        ("busy_server", {"attempts.status", "attempts.same"}, "503"),
        ("unfinished_result", {"polls.waiting", "polls.pause"}, "408"),
        ("missing_output", {"responses.training"}, "forward_backward succeeded"),
        ("missing_sequence", {"responses.sample"}, "sample succeeded"),
        ("short_weights", {"requests.shape"}, "forward_backward succeeded"),
        ("expired_sample", {"samples.expired"}, "410"),
        ("large_batch", {"batches.split", "batches.metrics"}, "[130] datums"),
    ],
)
def test_naive_client_fails(scenario: str, failed: set[str], received: str) -> None:
    report = grade(NAIVE, names=[scenario], jobs=1, timeout=20)
    failures = {verdict.rule: verdict for verdict in report.failures}
    unsupported = {item.rule for item in report.verdicts if item.grade is Grade.UNSUPPORTED}
    assert failed <= set(failures) | unsupported
    reasons = " ".join(item.received for item in report.verdicts if item.grade is not Grade.PASS)
    assert received in reasons or "no save_weights" in reasons
    assert KEY not in reasons


def test_call_that_waits_for_the_previous_result_fails() -> None:
    report = grade(NAIVE, names=["four_calls"], jobs=1, timeout=1)
    assert {verdict.rule for verdict in report.failures} == {"order.sequence", "order.independent"}
    [verdict] = [item for item in report.failures if item.rule == "order.independent"]
    assert verdict.received == "1 submissions"


def test_missing_operation_is_unsupported() -> None:
    report = grade(NAIVE, names=["closed_client"], jobs=1, timeout=20)
    [verdict] = report.verdicts
    assert (verdict.grade, verdict.received) == (Grade.UNSUPPORTED, "close: no close")
    assert report.is_conformant


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise SystemExit('no such client')", "ended with status 1: no such client"),
        ("print('[]')", "ended with status 0"),
        ("import sys; print('{}', flush=True); sys.stdin.read()", 'has no "client"'),
    ],
)
def test_driver_that_breaks_the_protocol_raises(body: str, message: str) -> None:
    with pytest.raises(DriverError, match=message):
        grade(script(body), names=["bad_request"])


def test_driver_that_ends_during_a_scenario_fails_its_rules() -> None:
    body = 'import sys; print(\'{"client": "x"}\', flush=True); sys.stdin.readline(); sys.exit(3)'
    report = grade(script(body), names=["bad_request"], protocols=["0.4.1"])
    [verdict] = report.failures
    assert "ended with status 3" in verdict.received


def test_unknown_scenario_or_protocol_raises() -> None:
    with pytest.raises(ValueError, match="unknown scenarios: nothing"):
        grade(OURS, names=["nothing"])
    with pytest.raises(ValueError, match=r"unknown protocols \['0.9'\]"):
        grade(NAIVE, names=["bad_request"], protocols=["0.9"])


def test_driver_gets_no_settings_of_the_caller() -> None:
    environment = driver_environment({"TINKER_API_KEY": "secret", "PATH": "/bin"})
    assert environment == {"PATH": "/bin", "NO_PROXY": "*", "no_proxy": "*"}


def test_every_rule_has_a_scenario_and_a_section_of_the_guide() -> None:
    checked = {rule for scenario in SCENARIOS.values() for rule in scenario.rules}
    assert set(RULES) - checked == {"secrets.log"}  # judged from the log of all scenarios
    guide = (ROOT / "docs" / "porting.md").read_text(encoding="utf-8")
    headings = [line.lstrip("# ") for line in guide.splitlines() if line.startswith("#")]
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    assert {rule.section for rule in RULES.values()} <= anchors


def verdict(rule: str, outcome: Grade, received: str = "") -> Verdict:
    return Verdict(rule, "0.4.1", "scenario", outcome, "something", received)


def test_report_keeps_the_worst_grade_of_a_rule_in_the_order_of_the_rules() -> None:
    report = Report.of(
        "mine",
        [
            verdict("polls.pause", Grade.FAIL, "a | b"),
            verdict("headers.key", Grade.PASS),
            verdict("headers.key", Grade.FAIL),
            verdict("polls.pause", Grade.PASS),
        ],
    )
    assert [(item.rule, item.grade) for item in report.verdicts] == [
        ("headers.key", Grade.FAIL),
        ("polls.pause", Grade.FAIL),
    ]
    assert report.totals == "2 fail"
    assert not report.is_conformant
    assert "| `polls.pause` | 0.4.1 | something | a \\| b |" in table([report])


def test_client_that_breaks_only_a_should_is_conformant() -> None:
    report = Report.of("mine", [verdict("polls.pause", Grade.FAIL)])
    assert RULES["polls.pause"].level is Level.SHOULD
    assert report.is_conformant
    assert report.as_json()["verdicts"][0]["reference"] == "docs/porting.md#polls"


def test_command_prints_the_grades_and_fails_for_a_broken_rule() -> None:
    chosen = ["conformance", "--scenario", "bad_request", "--protocol", "0.4.1"]
    result = CliRunner().invoke(program, [*chosen, "-v", "-f", "json", "--", *NAIVE])
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert (record["client"], record["conformant"]) == ("naive", True)
    assert "attempts.client_error (0.4.1): pass" in result.stderr
    chosen = ["conformance", "--scenario", "busy_server", "--jobs", "1"]
    result = CliRunner().invoke(program, [*chosen, "--", *NAIVE])
    assert result.exit_code == 1
    assert "attempts.status" in result.stdout
    assert "breaks rules of level must" in result.stderr


def test_command_without_a_driver_fails_with_one_line() -> None:
    result = CliRunner().invoke(program, ["conformance", "--", "/no/such/driver"])
    assert result.exit_code == 1
    assert "the driver failed" in result.stderr
