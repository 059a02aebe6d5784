"""`tinker-ext session`: what was made together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinker_ext.cli.context import CommandContext, format_option, limit_option
from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.output import View, show
from tinker_ext.cli.paging import Page, fetch_all
from tinker_ext.cli.text import NOTHING, count_title, size

if TYPE_CHECKING:
    from tinker_ext.types import GetSessionResponse

#: Sessions per request when listing.
BATCH = 100
#: Seconds a trace may take to be built.
LONGEST_EXPORT = 1800.0


@click.group()
def session() -> None:
    """List and inspect sessions, and export their traces."""


@session.command("list")
@limit_option("How many to show")
@format_option
@click.pass_obj
def list_sessions(context: CommandContext, limit: int) -> None:
    """List sessions, newest first."""
    with context.service() as service:
        rest = service.create_rest_client()

        def fetch(wanted: int, offset: int) -> Page[str]:
            # The answer does not say how many there are.
            return Page(rest.list_sessions(limit=wanted, offset=offset).result().sessions, None)

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
    """Show what was made in a session."""
    with context.service() as service:
        found = service.create_rest_client().get_session(session_id).result()
    record = {"session_id": session_id, **_record(found)}
    show(context.format, record, _info_view(session_id, found))


@session.command("export-trace")
@click.argument("session_id")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to save it in (default: SESSION.pftrace in the current folder).",
)
@click.option("--url-only", is_flag=True, help="Show where it is, and do not fetch it.")
@click.option("--force", is_flag=True, help="Replace a file that is already there.")
@format_option
@click.pass_obj
def export_trace(
    context: CommandContext, session_id: str, output: Path | None, url_only: bool, force: bool
) -> None:
    """Have the server draw a timeline of a session, for ui.perfetto.dev."""
    from tinker_ext.cli.download import show_progress
    from tinker_ext.clients.downloads.download import download_url, file_name

    if url_only and (output is not None or force):
        raise click.UsageError("--url-only saves nothing, so --output and --force have no use.")
    target = output or Path(f"{file_name(session_id)}.pftrace")
    if target.exists() and not (force or url_only):
        raise CommandError(f"{target} is already there; --force replaces it.")
    with context.service(future_timeout=LONGEST_EXPORT) as service:
        rest = service.create_rest_client()
        url = rest.export_session_trace(session_id).result()
        if url_only:
            show(context.format, {"session_id": session_id, "url": url}, url)
            return
        with show_progress(target.name) as progress:
            count = download_url(rest, url, target, progress).result()
    record = {"session_id": session_id, "file": str(target), "size_bytes": count}
    show(context.format, record, f"Saved the trace of {session_id} as {target} ({size(count)})")


def _record(found: GetSessionResponse) -> dict[str, object]:
    import attrs

    return attrs.asdict(found)


def _info_view(session_id: str, found: GetSessionResponse) -> View:
    return View(
        title=f"Session {session_id}",
        columns=("Property", "Value"),
        rows=[
            ("Session ID", session_id),
            ("Name", found.display_name or NOTHING),
            *(("Training run", run) for run in found.training_run_ids),
            *(("Sampler", sampler) for sampler in found.sampler_ids),
            *((f"Metadata {name}", value) for name, value in (found.user_metadata or {}).items()),
        ],
    )
