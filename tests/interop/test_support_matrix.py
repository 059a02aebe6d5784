"""Outcomes of clients on servers become a table that lists failures and their errors."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from conformance.interop import support_matrix
from conformance.interop.session import DRIVERS, Run, Step
from conformance.interop.support_matrix import (
    OURS,
    Column,
    load_column,
    outcomes_of,
    summary,
    table,
)
from tinker_ext.server_check import ALL
from tinker_ext.server_check.runner import NO_SUCH_OPERATION, Capability, Ending, Outcome

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def make_column(client: str, *outcomes: Outcome) -> Column:
    return Column("some", client, "2026-11-26", list(outcomes))


def test_outcomes_of_a_driver_have_the_endings_of_our_steps() -> None:
    dependent = "AttributeError: 'types.SimpleNamespace' object has no attribute 'training'"
    steps = [
        Step("train", "loss 3 to 2", None, 1.0),
        Step("save_state", None, "NotFoundError: no", 1.0),
        Step("load_state", None, dependent, 1.0),
        Step("sample", None, "hangs: no end after 60 s", 60.0),
        Step("train_in_several_requests", None, "TimeoutError: ", 60.0),
        Step("unknown_loss", "refused: ValueError: no", None, 1.0),
        Step("a_wrong_key", "accepted: the server took it", None, 1.0),
        Step("archive_url", "absent", None, 0.0),
        Step("ending", None, "hung: ended after 900 s", 0.0),
    ]
    outcomes = outcomes_of(Run({step.name: step for step in steps}, stderr=""))
    assert [(outcome.ending, outcome.detail) for outcome in outcomes] == [
        (Ending.OK, "loss 3 to 2"),
        (Ending.FAILED, "NotFoundError: no"),
        (Ending.LEFT_OUT, dependent),
        (Ending.HUNG, "hangs: no end after 60 s"),
        (Ending.HUNG, "TimeoutError: "),
        (Ending.OK, "ValueError: no"),
        (Ending.ACCEPTED, "the server took it"),
        (Ending.HUNG, "hung: ended after 900 s"),
    ]


def test_table_lists_failures_with_their_errors() -> None:
    error = "NotFoundError: 0e7fdb9e-0000-0000-0000-000000000000 is not in /a/b/c.d | 2 attempts"
    ours = make_column(
        OURS,
        Outcome("train", Ending.OK, "loss 3 to 2", 1.0),
        Outcome("save_state", Ending.TYPED_ERROR, error, 1.0),
        Outcome("unknown_loss", Ending.OK, "ValueError: no", 1.0),
    )
    theirs = make_column(
        "tinker 0.4.1",
        Outcome("train", Ending.OK, "loss 3 to 2", 1.0),
        Outcome("unknown_loss", Ending.HUNG, "hangs: no end after 60 s", 60.0),
        Outcome("ending", Ending.HUNG, "hung: ended after 900 s", 0.0),
    )
    assert table([ours, theirs]).splitlines() == [
        "| step | some: this client (2026-11-26) | some: tinker 0.4.1 (2026-11-26) |",
        "|---|---|---|",
        "| **in all** | 3: 2 ok, 1 typed error | 3: 1 ok, 2 hung |",
        "| **trains** | | |",
        "| train | ok: loss 3 to 2 | ok |",
        "| **saves and resumes** | | |",
        "| save state | typed error (1) |  |",
        "| **rejects mistakes** | | |",
        "| unknown loss | ok (2) | hung |",
        "| **the driver** | | |",
        "| ending |  | hung |",
        "",
        "1. `NotFoundError: ID is not in FOLDER / N attempts`",
        "2. `ValueError: no`",
    ]


def test_summary_has_a_line_per_server_with_the_reasons() -> None:
    column = make_column(
        OURS,
        Outcome("train", Ending.OK, "loss 3 to 2", 1.0),
        Outcome("forward", Ending.SERVER_WRONG, "no", 1.0, "constant logprobs"),
        Outcome("publish", Ending.TYPED_ERROR, "NotFoundError: ...", 1.0, NO_SUCH_OPERATION),
        Outcome("unpublish", Ending.TYPED_ERROR, "NotFoundError: ...", 1.0, NO_SUCH_OPERATION),
        Outcome("archive_url", Ending.LEFT_OUT, "there is no path", 0.0),
    )
    head, _, line = summary([column]).splitlines()
    assert head == f"| server | {' | '.join(Capability)} | failed steps |"
    assert line == (
        "| some | - | 1 of 2 | - | - | - | no | - "
        "| constant logprobs: forward; no such operation: publish, unpublish |"
    )


def test_repeated_error_has_one_note() -> None:
    failing = make_column(
        OURS,
        Outcome("a", Ending.TYPED_ERROR, "TinkerError: no", 1.0),
        Outcome("b", Ending.TYPED_ERROR, "TinkerError: no", 2.0),
    )
    assert table([failing]).count("TinkerError") == 1


def test_column_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support_matrix, "COLUMNS", tmp_path / "columns")
    assert load_column("some", OURS) is None
    column = make_column(OURS, Outcome("a", Ending.SERVER_WRONG, "it says so", 1.0, "so"))
    column.save()
    assert load_column("some", OURS) == column


def test_steps_of_the_official_tour_are_steps_of_ours() -> None:
    """The scenario is loaded with this client as the package under test."""
    code = "import scenario; print(*(step.__name__ for step in scenario.PROGRAMS['tour'].steps))"
    outcome = subprocess.run(
        [sys.executable, "-c", code],
        cwd=DRIVERS,
        env={**os.environ, "DRIVER_PACKAGE": "tinker_ext"},
        capture_output=True,
        text=True,
        check=True,
    )
    names = outcome.stdout.split()
    assert len(names) > 25
    assert set(names) <= set(ALL.names)
