"""Grades a client: plays the scenarios through its driver, several at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from tinker_ext.testing.conformance import scenarios
from tinker_ext.testing.conformance.play import KEY, SCENARIOS, Grade, Play, Scenario, Verdict
from tinker_ext.testing.conformance.process import Driver, DriverError
from tinker_ext.testing.conformance.report import Report
from tinker_ext.testing.conformance.rules import RULES
from tinker_ext.testing.conformance.server import PROTOCOLS, ScenarioServer

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
