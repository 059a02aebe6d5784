"""The outcome of each client on each server: cached in `.cache`, written as tables."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from attrs import frozen

from conformance.interop.environments import ROOT
from tinker_ext.server_check import ALL
from tinker_ext.server_check.runner import (
    Capability,
    Ending,
    Outcome,
    by_capability,
    grade,
    problems,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from conformance.interop.session import Run, Step

COLUMNS = ROOT / ".cache" / "servers"
OURS = "this client"
ABSENT = "absent"
_LONGEST_NOTE = 420
# A step that depends on a result of an earlier step that failed.
_DEPENDENT = re.compile(r"AttributeError: 'types\.SimpleNamespace'")
_MISTAKE = re.compile(r"(refused|accepted): (.*)", re.DOTALL)


@frozen
class Column:
    """The outcomes of a client's steps on a server, and the day of the run."""

    server: str
    client: str
    day: str
    outcomes: Sequence[Outcome]

    def save(self) -> None:
        COLUMNS.mkdir(parents=True, exist_ok=True)
        steps = [
            [item.name, str(item.ending), item.detail, round(item.seconds, 1), item.reason]
            for item in self.outcomes
        ]
        content = json.dumps({"day": self.day, "steps": steps}, indent=1)
        _file(self.server, self.client).write_text(content, encoding="utf-8")

    def outcome(self, step: str) -> Outcome | None:
        return next((item for item in self.outcomes if item.name == step), None)


def load_column(server: str, client: str) -> Column | None:
    """The column of the last run; None if there was no run."""
    path = _file(server, client)
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    outcomes = [Outcome(name, Ending(end), *rest) for name, end, *rest in content["steps"]]
    return Column(server, client, content["day"], outcomes)


def _file(server: str, client: str) -> Path:
    return COLUMNS / f"{server}, {client}.json"


def outcomes_of(run: Run) -> list[Outcome]:
    """The outcomes of a driver's steps, without those that its release does not have."""
    steps = [step for step in run.steps.values() if step.value != ABSENT]
    return [Outcome(step.name, *_ending(step), step.seconds) for step in steps]


def _ending(step: Step) -> tuple[Ending, str]:
    if step.error is not None:
        # A step waits for a result as long as it may take itself: a timeout means that it hangs.
        if step.error.startswith(("hangs", "hung", "TimeoutError")):
            return Ending.HUNG, step.error
        dependent = _DEPENDENT.match(step.error)
        return (Ending.LEFT_OUT if dependent else Ending.FAILED), step.error
    mistake = _MISTAKE.fullmatch(str(step.value))
    if mistake is None:
        return Ending.OK, str(step.value)
    return (Ending.OK if mistake[1] == "refused" else Ending.ACCEPTED), mistake[2]


def summary(columns: Sequence[Column]) -> str:
    """A row for each server: the capabilities that this client finds, and the failed steps."""
    lines = [
        f"| server | {' | '.join(Capability)} | failed steps |",
        f"|---{'|---' * len(Capability)}|---|",
    ]
    for column in columns:
        groups = by_capability(column.outcomes, ALL.capabilities)
        grades = (grade(groups[capability]) for capability in Capability)
        failures = _stable(problems(column.outcomes), None) or "-"
        lines.append(f"| {column.server} | {' | '.join(grades)} | {failures} |")
    return "\n".join(lines)


def table(columns: Sequence[Column]) -> str:
    """A row of totals, the steps by capability, and notes on those that did not simply succeed."""
    present = dict.fromkeys(item.name for column in columns for item in column.outcomes)
    notes: dict[str, int] = {}
    heads = (f"{column.server}: {column.client} ({column.day})" for column in columns)
    lines = [
        f"| step | {' | '.join(heads)} |",
        f"|---{'|---' * len(columns)}|",
        f"| **in all** | {' | '.join(_totals(column.outcomes) for column in columns)} |",
    ]
    for title, steps in _grouped(present):
        lines.append(f"| **{title}** |{' |' * len(columns)}")
        for step in steps:
            cells = (_cell(column, column.outcome(step), notes) for column in columns)
            lines.append(f"| {step.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"{at}. `{note}`" for note, at in notes.items())])


def _grouped(names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """The steps by capability, in the order in which they run; then those of drivers alone."""
    order = list(ALL.capabilities)
    for capability in Capability:
        steps = [name for name in names if ALL.capabilities.get(name) is capability]
        if steps:
            yield capability, sorted(steps, key=order.index)
    if others := [name for name in names if name not in order]:
        yield "the driver", others


def _totals(outcomes: Sequence[Outcome]) -> str:
    counts = {end: sum(item.ending is end for item in outcomes) for end in Ending}
    shown = [f"{count} {end}" for end, count in counts.items() if count]
    return f"{len(outcomes)}: {', '.join(shown)}"


def _cell(column: Column, outcome: Outcome | None, notes: dict[str, int]) -> str:
    if outcome is None:
        return ""
    if outcome.ending in (Ending.LEFT_OUT, Ending.HUNG) or not outcome.detail:
        return str(outcome.ending)
    if outcome.ending is Ending.OK and column.client != OURS:
        return str(outcome.ending)
    if outcome.ending is Ending.OK and "Error" not in outcome.detail:
        return f"ok: {outcome.detail}"
    return f"{outcome.ending} ({notes.setdefault(_stable(outcome.detail), len(notes) + 1)})"


def _stable(detail: str, longest: int | None = _LONGEST_NOTE) -> str:
    """An error message without the parts that differ from run to run."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", " ".join(detail.split()))
    text = re.sub(r"(model|session|sampling)_[0-9a-f]{6,}", r"\1_ID", text)
    text = re.sub(r"(?<![\w:/])(/[\w.-]+){3,}", "FOLDER", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"\d+ attempts?", "N attempts", text)
    text = re.sub(r"request id [^\s;\]]+", "request id ID", text)
    text = re.sub(r"expected \d+, got \d+", "expected N, got M", text)
    text = text.partition(" with status code ")[0].partition(" for self.request_id")[0]
    return re.sub(r"\d+\.\d+ s", "N s", text).replace("`", "'").replace("|", "/")[:longest]
