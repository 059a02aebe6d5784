"""Grades a client in any language: `tinker-ext conformance -- COMMAND`.

The command starts a driver, which reads steps from standard input, performs them with the client
under test and writes the results (docs/conformance.md describes the lines). Each scenario has a
server of its own, which responds with faults, records what the client sends and judges it by the
rules in `rules`. `driver` is the driver of Python clients.
"""

from __future__ import annotations

from tinker_ext.testing.conformance.grader import Report, grade, table
from tinker_ext.testing.conformance.play import DriverError, Grade, Verdict
from tinker_ext.testing.conformance.rules import RULES, Level, Rule

__all__ = [
    "RULES",
    "DriverError",
    "Grade",
    "Level",
    "Report",
    "Rule",
    "Verdict",
    "grade",
    "table",
]
