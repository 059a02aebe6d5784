"""The table, as docs/faults.md has it."""

from __future__ import annotations

from pathlib import Path

from faultmatrix.cases import CASES, RESULT_CASES, Case, columns
from faultmatrix.operations import GROUPS, OPERATIONS, Group

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
BEGIN, END = "<!-- matrix: scripts/fault_matrix.py -->", "<!-- end of matrix -->"


def table() -> str:
    """The matrix in Markdown: faults down, groups of operations across."""
    head = " | ".join(["fault", *GROUPS.values()])
    lines = [f"| {head} |", "|" + "---|" * (len(GROUPS) + 1)]
    for case in [*CASES, *RESULT_CASES]:
        shown = [_group_cell(case, group) for group in GROUPS]
        lines.append(f"| {' | '.join([case.name, *shown])} |")
    return "\n".join(lines)


def _group_cell(case: Case, group: Group) -> str:
    if case in RESULT_CASES and group != "result":
        return ""
    members = [one for one in OPERATIONS if one.group == group]
    common = case.usual(group)
    exceptions: dict[str, list[str]] = {}
    for one in members:
        if (expected := case.expected(one)) != common:
            exceptions.setdefault(expected, []).append(one.name.removeprefix("result of "))
    special = [f"{', '.join(names)}: {outcome}" for outcome, names in exceptions.items()]
    return "; ".join([common, *special])


def document() -> str:
    """docs/faults.md with the present matrix in it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    names = "\n".join(f"- {title}: {', '.join(_members(group))}" for group, title in GROUPS.items())
    cells = sum(len(columns(one)) for one in OPERATIONS)
    count = f"{cells} cells; each operation belongs to one column:"
    return f"{before}{BEGIN}\n{count}\n\n{names}\n\n{table()}\n{END}{after}"


def _members(group: Group) -> list[str]:
    return [one.name.removeprefix("result of ") for one in OPERATIONS if one.group == group]
