"""`tinker-ext session`: sessions, with their training runs and samplers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import asdict

from tinker_ext.cli.context import CommandContext, format_option, limit_option
from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.output import View, show
from tinker_ext.cli.paging import Page, fetch_all
from tinker_ext.cli.text import NOTHING, count_title, size

if TYPE_CHECKING:
    from tinker_ext.types import GetSessionResponse

#: Sessions per page.
BATCH = 100
#: Maximum seconds for the server to build a trace.
EXPORT_TIMEOUT = 1800.0


@click.group()
def session() -> None:
    """List and inspect sessions, and export their traces."""


@session.command("list")
@limit_option("sessions")
@format_option
@click.pass_obj
def list_sessions(context: CommandContext, limit: int) -> None:
    """List sessions, newest first."""
    with context.service() as service:
        rest = service.create_rest_client()

        def fetch(limit: int, offset: int) -> Page[str]:
            # The response has no total count.
            return Page(rest.list_sessions(limit=limit, offset=offset).result().sessions, None)

        listing = fetch_all(fetch, limit=limit, batch=BATCH, label="Fetching sessions")
    view = View(
        title=count_title(len(listing.items), "session"),
        columns=("Session ID",),
        rows=[(session_id,) for session_id in listing.items],
    )
    show(context.format, {"sessions": listing.items}, view)


@session.command()
@click.argument("session_id")
@format_option
@click.pass_obj
def info(context: CommandContext, session_id: str) -> None:
    """Show the training runs and samplers of a session.

    SESSION_ID is the ID of a session, as `tinker-ext session list` shows it.
    """
    with context.service() as service:
        details = service.create_rest_client().get_session(session_id).result()
    record = {"session_id": session_id, **asdict(details)}
    show(context.format, record, _info_view(session_id, details))


@session.command("export-trace")
@click.argument("session_id")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to save it in (default: SESSION.pftrace in the current folder).",
)
@click.option("--url-only", is_flag=True, help="Print the URL of the trace without downloading it.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@format_option
@click.pass_obj
def export_trace(
    context: CommandContext, session_id: str, output: Path | None, url_only: bool, force: bool
) -> None:
    """Export a timeline of a session for ui.perfetto.dev.

    SESSION_ID is the ID of a session, as `tinker-ext session list` shows it.
    """
    from tinker_ext.cli.download import show_progress
    from tinker_ext.clients.downloads.download import download_url, file_name

    if url_only and (output is not None or force):
        raise click.UsageError("--url-only saves no file, so --output and --force have no effect.")
    target = output or Path(f"{file_name(session_id)}.pftrace")
    if target.exists() and not (force or url_only):
        raise CommandError(f"{target} already exists; pass --force to replace it.")
    with context.service(future_timeout=EXPORT_TIMEOUT) as service:
        rest = service.create_rest_client()
        url = rest.export_session_trace(session_id).result()
        if url_only:
            show(context.format, {"session_id": session_id, "url": url}, url)
            return
        with show_progress(target.name) as progress:
            count = download_url(rest, url, target, progress).result()
    record = {"session_id": session_id, "file": str(target), "size_bytes": count}
    show(context.format, record, f"Saved the trace of {session_id} as {target} ({size(count)})")


def _info_view(session_id: str, details: GetSessionResponse) -> View:
    return View(
        title=f"Session {session_id}",
        columns=("Property", "Value"),
        rows=[
            ("Session ID", session_id),
            ("Name", details.display_name or NOTHING),
            *(("Training run", run) for run in details.training_run_ids),
            *(("Sampler", sampler) for sampler in details.sampler_ids),
            *((f"Metadata {name}", value) for name, value in (details.user_metadata or {}).items()),
        ],
    )
