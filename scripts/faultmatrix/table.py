"""The tables, as docs/faults.md has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from faultmatrix.cases import CASES, RESULT_CASES, TOKEN_CASES, Case, columns
from faultmatrix.operation import GROUPS, LATER, Group, Operation
from faultmatrix.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
BEGIN, END = "<!-- matrix: scripts/fault_matrix.py -->", "<!-- end of matrix -->"
LATER_BEGIN, LATER_END = (
    "<!-- later protocol: scripts/fault_matrix.py -->",
    "<!-- end of later protocol -->",
)


def table() -> str:
    """Faults down, groups of operations across."""
    rows = (
        [case.name, *(_group_cell(case, group) for group in GROUPS)]
        for case in [*CASES, *RESULT_CASES]
    )
    return _markdown(["fault", *GROUPS.values()], rows)


def later_table() -> str:
    """Faults down, operations across that only the later protocol has a client send by itself."""
    members = _of_group(LATER)
    rows = (
        [
            case.name,
            *(case.expected(member) if case in columns(member) else "" for member in members),
        ]
        for case in [*CASES, *TOKEN_CASES]
    )
    return _markdown(["fault", *(member.name for member in members)], rows)


def _markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, *rows]
    shown = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([shown[0], "|" + "---|" * len(head), *shown[1:]])


def _group_cell(case: Case, group: Group) -> str:
    if case in RESULT_CASES and group != "result":
        return ""
    common = case.default_reply(group)
    exceptions: dict[str, list[str]] = {}
    for item in _of_group(group):
        if (expected := case.expected(item)) != common:
            exceptions.setdefault(expected, []).append(item.name.removeprefix("result of "))
    special = [f"{', '.join(names)}: {outcome}" for outcome, names in exceptions.items()]
    return "; ".join([common, *special])


def count_cells(*groups: Group) -> int:
    """How many there are of some groups."""
    return sum(len(columns(item)) for group in groups for item in _of_group(group))


def document() -> str:
    """docs/faults.md with the present matrix in it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    names = "\n".join(f"- {title}: {', '.join(_members(group))}" for group, title in GROUPS.items())
    count = f"{count_cells(*GROUPS)} cells; each operation belongs to one column:"
    text = _between(text, BEGIN, END, f"{count}\n\n{names}\n\n{table()}")
    later = f"{count_cells(LATER)} cells; an empty one has no such fault:"
    return _between(text, LATER_BEGIN, LATER_END, f"{later}\n\n{later_table()}")


def _between(text: str, begin: str, end: str, content: str) -> str:
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{content}\n{end}{after}"


def _members(group: Group) -> list[str]:
    return [item.name.removeprefix("result of ") for item in _of_group(group)]


def _of_group(group: Group) -> list[Operation]:
    return [operation for operation in OPERATIONS if operation.group == group]
