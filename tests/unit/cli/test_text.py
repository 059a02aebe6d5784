"""Formatting of values."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from tinker_ext.cli import output
from tinker_ext.redaction.redactor import printable

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("elapsed", "expected"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=6), "6 days ago"),
        (timedelta(days=15), "2 weeks ago"),
        (timedelta(days=30), "4 weeks ago"),
        (timedelta(days=30, seconds=1), "2026-03-01"),
    ],
)
def test_age_uses_largest_whole_unit(elapsed: timedelta, expected: str) -> None:
    assert output.age(NOW - elapsed, now=NOW) == expected


def test_age_of_time_without_zone_assumes_utc() -> None:
    assert output.age(datetime(2026, 3, 31, 9), now=NOW) == "3 hours ago"


def test_unknown_values_are_a_dash() -> None:
    assert output.age(None) == output.size(None) == output.size(-1) == output.yes_or_no(None) == "-"


def test_size_uses_decimal_units() -> None:
    assert [output.size(count) for count in (0, 999, 1_234_567)] == [
        "0 bytes",
        "999 bytes",
        "1.2 MB",
    ]


def test_control_characters_are_escaped() -> None:
    assert printable("a\x1b[31mred\x07 \u202e") == "a\\x1b[31mred\\x07 \\u202e"
    assert output.one_line("two\n  lines\x1b[2J") == "two lines\\x1b[2J"


@pytest.mark.parametrize(
    ("count", "left_out", "expected"),
    [
        (0, 0, "No runs"),
        (1, 0, "1 run"),
        (2, 0, "2 runs"),
        (20, 3, "20 runs (3 more; --limit 0 shows all)"),
    ],
)
def test_title_counts_shown_and_omitted_items(count: int, left_out: int, expected: str) -> None:
    assert output.count_title(count, "run", left_out=left_out) == expected


def test_table_escapes_characters_missing_in_encoding() -> None:
    script = (
        "from tinker_ext.cli.output import View, show\n"
        "from tinker_ext.cli.output import escape_unencodable_output\n"
        "show('table', None, View('Zürich', ('a', 'b'), [('Zürich', '日'), ('x', 'y')]), 'é')\n"
        "escape_unencodable_output()\n"
        "print('ü')\n"
    )
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=environment, check=True
    )
    lines = ran.stdout.decode("ascii").splitlines()
    assert lines[0].strip() == r"Z\xfcrich"
    rows = [line for line in lines if line.startswith("|")]
    assert len({len(row) for row in rows}) == 1, "the columns are aligned"
    assert r"| Z\xfcrich | \u65e5 |" in lines
    assert lines[-2:] == [r"\xe9", r"\xfc"]
