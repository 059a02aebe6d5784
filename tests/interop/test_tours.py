"""Tours of servers become a table that says what failed, and how."""

from __future__ import annotations

from interop.session import Run, Step
from interop.tours import Column, table


def a_run(*steps: Step) -> Run:
    return Run({step.name: step for step in steps}, stderr="")


def test_the_table_tells_what_failed_and_how() -> None:
    lost = "AttributeError: 'types.SimpleNamespace' object has no attribute 'training'"
    told = "NotFoundError: 0e7fdb9e-0000-0000-0000-000000000000 is not in /a/b/c.d\nmore"
    ours = a_run(
        Step("train", "loss 3 to 2", None, 1.0),
        Step("save_state", None, told, 1.0),
        Step("wrong_inputs", "refused: ValueError", None, 1.0),
    )
    theirs = a_run(Step("train", None, "hangs: no end after 60 s", 1.0), Step("x", None, lost, 1.0))
    assert table([Column("ours", ours), Column("theirs", theirs)]).splitlines() == [
        "| step | ours | theirs |",
        "|---|---|---|",
        "| train | yes | hangs |",
        "| save state | no (1) | not reached |",
        "| wrong inputs | refused: ValueError | not reached |",
        "| x | not reached | not reached |",
        "",
        "1. `NotFoundError: ID is not in PATH`",
    ]


def test_the_same_words_are_noted_once() -> None:
    failing = a_run(
        Step("a", None, "TinkerError: no", 1.0), Step("b", None, "TinkerError: no", 2.0)
    )
    assert table([Column("ours", failing)]).count("TinkerError") == 1
