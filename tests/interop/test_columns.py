"""What clients came to on servers becomes a table that says what failed, and how."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from interop import columns
from interop.columns import OURS, Column, kept, outcomes_of, table
from interop.environments import ROOT
from interop.outcomes import Ending, Outcome
from interop.session import Run, Step

from tests.interop.servers import ALL

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def a_column(client: str, *outcomes: Outcome) -> Column:
    return Column("some", client, "2026-11-26", list(outcomes))


def test_a_drivers_run_is_told_in_the_words_of_our_steps() -> None:
    lost = "AttributeError: 'types.SimpleNamespace' object has no attribute 'training'"
    steps = [
        Step("train", "loss 3 to 2", None, 1.0),
        Step("save_state", None, "NotFoundError: no", 1.0),
        Step("load_state", None, lost, 1.0),
        Step("sample", None, "hangs: no end after 60 s", 60.0),
        Step("train_in_several_requests", None, "TimeoutError: ", 60.0),
        Step("unknown_loss", "refused: ValueError: no", None, 1.0),
        Step("a_wrong_key", "accepted: the server took it", None, 1.0),
        Step("ending", None, "hung: ended after 900 s", 0.0),
    ]
    found = outcomes_of(Run({step.name: step for step in steps}, stderr=""))
    assert [(one.ending, one.words) for one in found] == [
        (Ending.OK, "loss 3 to 2"),
        (Ending.FAILED, "NotFoundError: no"),
        (Ending.LEFT_OUT, lost),
        (Ending.HUNG, "hangs: no end after 60 s"),
        (Ending.HUNG, "TimeoutError: "),
        (Ending.OK, "ValueError: no"),
        (Ending.ACCEPTED, "the server took it"),
        (Ending.HUNG, "hung: ended after 900 s"),
    ]


def test_the_table_tells_what_failed_and_how() -> None:
    told = "NotFoundError: 0e7fdb9e-0000-0000-0000-000000000000 is not in /a/b/c.d | 2 attempts"
    ours = a_column(
        OURS,
        Outcome("train", Ending.OK, "loss 3 to 2", 1.0),
        Outcome("save_state", Ending.TYPED_ERROR, told, 1.0),
        Outcome("unknown_loss", Ending.OK, "ValueError: no", 1.0),
    )
    theirs = a_column(
        "tinker 0.4.1",
        Outcome("train", Ending.OK, "loss 3 to 2", 1.0),
        Outcome("unknown_loss", Ending.HUNG, "hangs: no end after 60 s", 60.0),
    )
    assert table([ours, theirs]).splitlines() == [
        "| step | some: this client (2026-11-26) | some: tinker 0.4.1 (2026-11-26) |",
        "|---|---|---|",
        "| **in all** | 3: 2 ok, 1 typed error | 2: 1 ok, 1 hung |",
        "| train | ok: loss 3 to 2 | ok |",
        "| save state | typed error (1) |  |",
        "| unknown loss | ok (2) | hung |",
        "",
        "1. `NotFoundError: ID is not in FOLDER / N attempts`",
        "2. `ValueError: no`",
    ]


def test_the_same_words_are_noted_once() -> None:
    failing = a_column(
        OURS,
        Outcome("a", Ending.TYPED_ERROR, "TinkerError: no", 1.0),
        Outcome("b", Ending.TYPED_ERROR, "TinkerError: no", 2.0),
    )
    assert table([failing]).count("TinkerError") == 1


def test_a_column_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "KEPT", tmp_path / "kept")
    assert kept("some", OURS) is None
    column = a_column(OURS, Outcome("a", Ending.SERVER_WRONG, "it says so", 1.0))
    column.keep()
    assert kept("some", OURS) == column


def test_the_official_steps_are_steps_of_ours() -> None:
    driver = ROOT / "scripts" / "interop" / "drivers" / "tour.py"
    lines = driver.read_text(encoding="utf-8").splitlines()
    theirs = [
        after.removeprefix("def ").split("(")[0]
        for line, after in pairwise(lines)
        if line == "@step"
    ]
    assert len(theirs) > 25
    assert set(theirs) <= set(ALL.names)
