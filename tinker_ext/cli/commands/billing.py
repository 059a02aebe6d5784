"""`tinker-ext billing`: usage and storage of an organization."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import click

from tinker_ext.cli.context import CommandContext, format_option
from tinker_ext.cli.output import View, show, to_json
from tinker_ext.cli.text import NOTHING, count_title

Row: TypeAlias = Mapping[str, Any]

#: The file name that means standard output.
STDOUT = "-"


@click.group()
def billing() -> None:
    """Show the usage of your organization."""


@billing.command()
@click.argument("starting_on")
@click.argument("ending_before")
@click.option("--csv", "csv_path", metavar="FILE", help="Write the rows as CSV; - is stdout.")
@click.option(
    "--sessions-csv",
    "sessions_path",
    metavar="FILE",
    help="Also write the metadata of each session as CSV; - is stdout.",
)
@format_option
@click.pass_obj
def usage(
    context: CommandContext,
    starting_on: str,
    ending_before: str,
    csv_path: str | None,
    sessions_path: str | None,
) -> None:
    """Show the usage of a period by hour, with its estimated cost.

    STARTING_ON and ENDING_BEFORE are full hours (UTC) as RFC 3339, such as 2026-07-13T00:00:00Z, at
    most 14 days apart. Costs are estimates in US dollars before credits, and may be unknown. The
    account needs the permission to view billing.
    """
    with context.service() as service:
        rest = service.create_rest_client()
        response = rest.get_billing_usage(starting_on, ending_before).result()
    rows = [_flat(_plain(event)) for event in response.data]
    if sessions_path is not None:
        sessions = [
            {"session_id": name, "user_metadata": _json_or_none(session.user_metadata)}
            for name, session in response.sessions.items()
        ]
        _write_csv(sessions_path, sessions, ("session_id", "user_metadata"))
    if csv_path is not None:
        _write_csv(csv_path, rows)
    elif sessions_path != STDOUT:
        show(context.format, response, _view(rows, "usage row"))


@billing.command("checkpoint-storage")
@click.option("--project-id", metavar="ID", help="Show only the storage of this project.")
@click.option("--csv", "csv_path", metavar="FILE", help="Write the rows as CSV; - is stdout.")
@format_option
@click.pass_obj
def checkpoint_storage(
    context: CommandContext, project_id: str | None, csv_path: str | None
) -> None:
    """Show the storage of checkpoints by project and user, with its projected monthly cost."""
    with context.service() as service:
        rest = service.create_rest_client()
        response = rest.get_current_checkpoint_storage_usage(project_id).result()
    rate = response.effective_rate_usd_per_gigabyte_month
    rows = [{"effective_rate_usd_per_gigabyte_month": rate, **_plain(row)} for row in response.data]
    if csv_path is not None:
        _write_csv(csv_path, rows)
    else:
        show(context.format, response, _view(rows, "storage row"))


def _plain(value: object) -> dict[str, Any]:
    """A result as a dictionary of JSON values."""
    plain: dict[str, Any] = json.loads(json.dumps(value, default=to_json))
    return plain


def _flat(row: Row) -> dict[str, Any]:
    """The row with the fields of its event, whose names differ from those of the row."""
    own = {name: value for name, value in row.items() if name != "event_info"}
    return {**own, **(row.get("event_info") or {})}


def _json_or_none(value: Mapping[str, str] | None) -> str | None:
    return None if value is None else json.dumps(value)


def _columns(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _view(rows: Sequence[Row], noun: str) -> View:
    columns = _columns(rows)
    return View(
        title=count_title(len(rows), noun),
        columns=columns,
        rows=[
            [NOTHING if row.get(name) is None else str(row[name]) for name in columns]
            for row in rows
        ],
    )


def _write_csv(file: str, rows: Sequence[Row], columns: Sequence[str] | None = None) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns or _columns(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    if file == STDOUT:
        sys.stdout.write(text.getvalue())
    else:
        Path(file).write_text(text.getvalue(), encoding="utf-8", newline="")
