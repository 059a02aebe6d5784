"""The tables of docs/faults.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from conformance.faultmatrix.cases import CASES, RESULT_CASES, TOKEN_CASES, FaultCase, cases_for
from conformance.faultmatrix.operation import GROUPS, LATE_PROTOCOL, Group, OperationUnderTest
from conformance.faultmatrix.operations import OPERATIONS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
BEGIN, END = "<!-- matrix: scripts/fault_matrix.py -->", "<!-- end of matrix -->"
LATE_BEGIN, LATE_END = (
    "<!-- late protocol: scripts/fault_matrix.py -->",
    "<!-- end of late protocol -->",
)


def table() -> str:
    """One row per fault, one column per group of operations."""
    rows = (
        [case.name, *(_group_cell(case, group) for group in GROUPS)]
        for case in [*CASES, *RESULT_CASES]
    )
    return _markdown(["fault", *GROUPS.values()], rows)


def late_protocol_table() -> str:
    """One row per fault, one column per background request of the late protocol."""
    members = _members(LATE_PROTOCOL)
    rows = (
        [
            case.name,
            *(case.expected(member) if case in cases_for(member) else "" for member in members),
        ]
        for case in [*CASES, *TOKEN_CASES]
    )
    return _markdown(["fault", *(member.name for member in members)], rows)


def _markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in [head, *rows]]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def _group_cell(case: FaultCase, group: Group) -> str:
    if case in RESULT_CASES and group != "result":
        return ""
    common = case.expected_of_group(group)
    exceptions: dict[str, list[str]] = {}
    for member in _members(group):
        if (expected := case.expected(member)) != common:
            exceptions.setdefault(expected, []).append(_title(member))
    special = [f"{', '.join(names)}: {outcome}" for outcome, names in exceptions.items()]
    return "; ".join([common, *special])


def count_cells(*groups: Group) -> int:
    """The number of cells of some groups."""
    return sum(len(cases_for(member)) for group in groups for member in _members(group))


def document() -> str:
    """The text of docs/faults.md with current tables."""
    text = DOCUMENT.read_text(encoding="utf-8")
    names = "\n".join(
        f"- {title}: {', '.join(map(_title, _members(group)))}" for group, title in GROUPS.items()
    )
    count = f"{count_cells(*GROUPS)} cells. Each operation belongs to one column:"
    text = _replace_between(text, BEGIN, END, f"{count}\n\n{names}\n\n{table()}")
    count = f"{count_cells(LATE_PROTOCOL)} cells. A cell is empty if the fault does not apply:"
    return _replace_between(text, LATE_BEGIN, LATE_END, f"{count}\n\n{late_protocol_table()}")


def _replace_between(text: str, begin: str, end: str, content: str) -> str:
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{content}\n{end}{after}"


def _title(operation: OperationUnderTest) -> str:
    return operation.name.removeprefix("result of ")


def _members(group: Group) -> list[OperationUnderTest]:
    return [operation for operation in OPERATIONS if operation.group == group]
