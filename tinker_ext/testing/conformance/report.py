"""The report of a client: its verdicts as JSON, and as a table beside those of other clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import asdict, frozen

from tinker_ext.testing.conformance.play import Grade, Verdict
from tinker_ext.testing.conformance.rules import RULES, Level

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
            cells.append("" if verdict is None else _bold(verdict.grade))
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


def _bold(grade: Grade) -> str:
    return f"**{grade}**" if grade is Grade.FAIL else str(grade)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'").replace("<", "&lt;")
