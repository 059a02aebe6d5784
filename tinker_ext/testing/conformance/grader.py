"""Grades a client: plays the scenarios through its driver, several at a time.

The report has the verdicts as JSON, and as a table beside those of other clients.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from attrs import asdict, frozen

from tinker_ext.testing.conformance import scenarios
from tinker_ext.testing.conformance.play import (
    KEY,
    SCENARIOS,
    Driver,
    DriverError,
    Grade,
    Play,
    Scenario,
    Verdict,
)
from tinker_ext.testing.conformance.rules import RULES, Level
from tinker_ext.testing.conformance.server import PROTOCOLS, ScenarioServer

# The worst grade first: a rule that fails once fails.
_ORDER = (Grade.FAIL, Grade.UNSUPPORTED, Grade.SKIPPED, Grade.PASS)


@frozen
class Report:
    """The verdicts of one client, in the order of the rules."""

    client: str
    verdicts: tuple[Verdict, ...]

    @classmethod
    def of(cls, client: str, verdicts: Iterable[Verdict]) -> Report:
        """Sort verdicts, and keep the worst for each rule and protocol."""
        worst: dict[tuple[str, str], Verdict] = {}
        for verdict in verdicts:
            known = worst.get((verdict.rule, verdict.protocol))
            if known is None or _ORDER.index(verdict.grade) < _ORDER.index(known.grade):
                worst[verdict.rule, verdict.protocol] = verdict
        rules = list(RULES)
        ordered = sorted(
            worst.values(), key=lambda verdict: (rules.index(verdict.rule), verdict.protocol)
        )
        return cls(client, tuple(ordered))

    @property
    def failures(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.grade is Grade.FAIL]

    @property
    def is_conformant(self) -> bool:
        """Whether the client follows every rule of level `must` that it was graded by."""
        return not any(RULES[verdict.rule].level is Level.MUST for verdict in self.failures)

    @property
    def totals(self) -> str:
        """The number of verdicts by grade, such as "58 pass, 2 fail"."""
        counts = Counter(verdict.grade for verdict in self.verdicts)
        return ", ".join(f"{counts[grade]} {grade}" for grade in reversed(_ORDER) if counts[grade])

    def as_json(self) -> dict[str, Any]:
        """The report in the form that `tinker-ext conformance --format json` prints."""
        return {
            "client": self.client,
            "conformant": self.is_conformant,
            "totals": self.totals,
            "verdicts": [
                {
                    **asdict(verdict),
                    "statement": RULES[verdict.rule].statement,
                    "level": RULES[verdict.rule].level,
                    "reference": RULES[verdict.rule].reference,
                }
                for verdict in self.verdicts
            ],
        }


def table(reports: Sequence[Report]) -> str:
    """Markdown: a row for each rule, a column for each client and protocol, and the failures."""
    columns = [
        (report, protocol)
        for report in reports
        for protocol in sorted({verdict.protocol for verdict in report.verdicts})
    ]
    heads = [f"{report.client}, protocol {protocol}" for report, protocol in columns]
    grades = {
        (report.client, verdict.protocol, verdict.rule): verdict
        for report in reports
        for verdict in report.verdicts
    }
    lines = [f"| rule | level | {' | '.join(heads)} |", f"|---|---{'|---' * len(heads)}|"]
    for rule in RULES.values():
        cells = []
        for report, protocol in columns:
            verdict = grades.get((report.client, protocol, rule.id))
            mark = "**" if verdict is not None and verdict.grade is Grade.FAIL else ""
            cells.append("" if verdict is None else f"{mark}{verdict.grade}{mark}")
        lines.append(f"| `{rule.id}` | {rule.level} | {' | '.join(cells)} |")
    for report in reports:
        lines += ["", f"## {report.client}", "", f"{report.totals}."]
        if report.failures:
            lines += ["", "| failed rule | protocol | expected | received |", "|---|---|---|---|"]
        lines += [
            f"| `{item.rule}` | {item.protocol} | {_cell(item.expected)} | {_cell(item.received)} |"
            for item in report.failures
        ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'").replace("<", "&lt;")


#: Scenarios that run at the same time. They mostly wait: for heartbeats, for Retry-After.
JOBS = 10
#: Seconds after which a call counts as hanging.
STEP_TIMEOUT = 60.0
# Loaded for their registration.
_LOADED = scenarios.__all__
# The longest scenarios start first.
_FIRST = ("slow_heartbeats", "ended_session")


def driver_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a driver: those of the caller, without settings of any client or proxy."""
    inherited = os.environ if environment is None else environment
    settings = {name: value for name, value in inherited.items() if not name.startswith("TINKER_")}
    return {**settings, "NO_PROXY": "*", "no_proxy": "*"}


def grade(
    command: Sequence[str],
    *,
    protocols: Sequence[str] | None = None,
    names: Sequence[str] = (),
    jobs: int = JOBS,
    timeout: float = STEP_TIMEOUT,
    environment: Mapping[str, str] | None = None,
    report: Callable[[Verdict], None] = lambda verdict: None,
) -> Report:
    """Run the driver `command` and grade its client.

    Plays the scenarios `names`, by default all, with the protocols that the driver names unless
    `protocols` are given. `jobs` is 1 for a driver that handles one step at a time. `report` is
    called with each verdict. `environment` holds the variables of the driver.

    Raises:
        DriverError: the driver does not start, or does not follow the protocol.
        ValueError: a scenario or protocol is unknown.
    """
    unknown = set(names) - set(SCENARIOS)
    if unknown:
        raise ValueError(f"unknown scenarios: {', '.join(sorted(unknown))}")
    variables = driver_environment(environment)
    with Driver(command, variables) as driver:
        greeting = driver.greeting()
        speaks = list(protocols or greeting.get("protocols") or PROTOCOLS)
        if not set(speaks) <= set(PROTOCOLS):
            raise ValueError(f"unknown protocols {speaks}: choose from {', '.join(PROTOCOLS)}")
        chosen = [item for item in SCENARIOS.values() if not names or item.name in names]
        chosen.sort(key=lambda item: item.name not in _FIRST)
        runs = [(item, name) for item in chosen for name in speaks if name in item.protocols]
        with ThreadPoolExecutor(jobs) as pool:
            played = list(
                pool.map(lambda run: _play(driver, run[0], run[1], timeout, report), runs)
            )
        verdicts = [verdict for group in played for verdict in group]
    if not names:
        verdicts += [_log_verdict(driver.log, protocol) for protocol in speaks]
    return Report.of(greeting["client"], verdicts)


def _play(
    driver: Driver,
    scenario: Scenario,
    protocol: str,
    timeout: float,
    report: Callable[[Verdict], None],
) -> list[Verdict]:
    with ScenarioServer(protocol, **scenario.flags) as server:
        play = Play(scenario, protocol, server, driver, timeout)
        try:
            play.perform()
        except DriverError as error:
            play.end(Grade.FAIL, str(error))
    for verdict in play.verdicts:
        report(verdict)
    return play.verdicts


def _log_verdict(log: str, protocol: str) -> Verdict:
    leaking = [line for line in log.splitlines() if KEY in line]
    received = leaking[0].replace(KEY, "THE-KEY")[:200] if leaking else "no line with it"
    result = Grade.FAIL if leaking else Grade.PASS
    rule = "secrets.log"
    return Verdict(rule, protocol, "all", result, RULES[rule].statement, received)
