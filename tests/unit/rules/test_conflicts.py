"""Reading which sequence number a server waits for."""

from __future__ import annotations

import pytest

from tinker_ext.rules.conflicts import expected_number


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("Sequence conflict: expected 1, got 3.", 1),
        ("Failed to retrieve future: Sequence conflict: expected 45, got 47.", 45),
        # Ours is behind: the request may have been carried out before.
        ("Sequence conflict: expected 5, got 3.", None),
        ("Sequence conflict: expected 3, got 3.", None),
        ("Sequence conflict: expected 0, got 3.", None),
        ("Sequence conflict", None),
        ("expected 1, got 3", None),
        ("Sequence conflict: expected " + "9" * 40 + ", got 3.", None),
        ("", None),
    ],
)
def test_expected_number(message: str, number: int | None) -> None:
    assert expected_number(message) == number
