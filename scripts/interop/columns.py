"""What each client came to on each server, kept in `.cache`, and the table of it all."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from attrs import frozen

from interop.environments import ROOT
from interop.outcomes import Ending, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from interop.session import Run, Step

KEPT = ROOT / ".cache" / "servers"
OURS = "this client"
_LONGEST_NOTE = 420
# A step that needs what an earlier one did not bring.
_UNREACHED = re.compile(r"AttributeError: 'types\.SimpleNamespace'")
_MISTAKE = re.compile(r"(refused|accepted): (.*)", re.DOTALL)


@frozen
class Column:
    """A client's steps on a server, and the day they were taken."""

    server: str
    client: str
    day: str
    outcomes: Sequence[Outcome]

    def keep(self) -> None:
        KEPT.mkdir(parents=True, exist_ok=True)
        steps = [
            [one.name, str(one.ending), one.words, round(one.seconds, 1)] for one in self.outcomes
        ]
        content = json.dumps({"day": self.day, "steps": steps}, indent=1)
        _file(self.server, self.client).write_text(content, encoding="utf-8")

    def outcome(self, step: str) -> Outcome | None:
        return next((one for one in self.outcomes if one.name == step), None)


def kept(server: str, client: str) -> Column | None:
    """The column as it was last seen."""
    path = _file(server, client)
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    outcomes = [Outcome(name, Ending(end), *rest) for name, end, *rest in content["steps"]]
    return Column(server, client, content["day"], outcomes)


def _file(server: str, client: str) -> Path:
    return KEPT / f"{server}, {client}.json"


def outcomes_of(run: Run) -> list[Outcome]:
    """What a driver's run tells, in the words of our own steps."""
    return [Outcome(step.name, *_ending(step), step.seconds) for step in run.steps.values()]


def _ending(step: Step) -> tuple[Ending, str]:
    if step.error is not None:
        # A step waits no longer for a result than it may take: a timeout is the step's end.
        if step.error.startswith(("hangs", "hung", "TimeoutError")):
            return Ending.HUNG, step.error
        unreached = _UNREACHED.match(step.error)
        return (Ending.LEFT_OUT if unreached else Ending.FAILED), step.error
    mistake = _MISTAKE.fullmatch(str(step.value))
    if mistake is None:
        return Ending.OK, str(step.value)
    return (Ending.OK if mistake[1] == "refused" else Ending.ACCEPTED), mistake[2]


def table(columns: Sequence[Column]) -> str:
    """The sums, a row for each step, and what was said where it was not simply done."""
    steps = list(dict.fromkeys(one.name for column in columns for one in column.outcomes))
    notes: dict[str, int] = {}
    heads = (f"{one.server}: {one.client} ({one.day})" for one in columns)
    lines = [
        f"| step | {' | '.join(heads)} |",
        f"|---{'|---' * len(columns)}|",
        f"| **in all** | {' | '.join(_sum(one.outcomes) for one in columns)} |",
    ]
    for step in steps:
        cells = (_cell(column, column.outcome(step), notes) for column in columns)
        lines.append(f"| {step.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"{at}. `{note}`" for note, at in notes.items())])


def _sum(outcomes: Sequence[Outcome]) -> str:
    counts = {end: sum(one.ending is end for one in outcomes) for end in Ending}
    shown = [f"{count} {end}" for end, count in counts.items() if count]
    return f"{len(outcomes)}: {', '.join(shown)}"


def _cell(column: Column, one: Outcome | None, notes: dict[str, int]) -> str:
    if one is None:
        return ""
    if one.ending in (Ending.LEFT_OUT, Ending.HUNG) or not one.words:
        return str(one.ending)
    if one.ending is Ending.OK and column.client != OURS:
        return str(one.ending)
    if one.ending is Ending.OK and "Error" not in one.words:
        return f"ok: {one.words}"
    return f"{one.ending} ({notes.setdefault(_lasting(one.words), len(notes) + 1)})"


def _lasting(words: str) -> str:
    """An error's words without what differs from run to run."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", " ".join(words.split()))
    text = re.sub(r"(model|session|sampling)_[0-9a-f]{6,}", r"\1_ID", text)
    text = re.sub(r"(?<![\w:/])(/[\w.-]+){3,}", "FOLDER", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"\d+ attempts?", "N attempts", text)
    text = re.sub(r"request id [^\s;\]]+", "request id ID", text)
    text = re.sub(r"expected \d+, got \d+", "expected N, got M", text)
    text = text.partition(" with status code ")[0].partition(" for self.request_id")[0]
    return re.sub(r"\d+\.\d+ s", "N s", text).replace("`", "'").replace("|", "/")[:_LONGEST_NOTE]
