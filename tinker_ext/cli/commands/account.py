"""`tinker-ext auth` and `billing`: the stored API key, and the usage of an organization."""

from __future__ import annotations

import io
import json
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urlencode

import click

from tinker_ext.cli.context import CommandContext, pass_context
from tinker_ext.cli.error_reporting import CommandError, describe
from tinker_ext.cli.output import NOTHING, View, count_title, properties, show, to_json

if TYPE_CHECKING:
    from tinker_ext.config import ClientConfig
    from tinker_ext.redaction.secret import Secret
    from tinker_ext.types import OwnApiKeyResponse


#: The web console of the hosted service, where users create and delete keys (0.38.0).
CONSOLE = "https://tinker.thinkingmachines.ai"


@click.group()
def auth() -> None:
    """Log in and out, and check the stored key."""


@auth.command()
@pass_context
def login(context: CommandContext) -> None:
    """Check an API key and store it for later programs.

    The key is read from the terminal without being shown, or from standard input. It is stored in
    ~/.tinker/credentials.json, which only you can read, and which the official client uses, too.
    """
    from tinker_ext.config import credentials_file

    file = credentials_file.CREDENTIALS_FILE
    if credentials_file.read_stored_key(file) is not None:
        raise CommandError("You are already logged in; `tinker-ext auth logout` removes the key.")
    if _is_hosted(context):
        name = f"tinker-ext-{socket.gethostname().partition('.')[0].strip() or 'unknown'}"
        query = urlencode({"new_key": "true", "key_name": name})
        click.echo(f"Create an API key: {CONSOLE}/keys?{query}", err=True)
    key = _read_key()
    described = _describe(context, key)
    stored = credentials_file.StoredKey(
        key_id=str(described.key_id),
        key=key,
        name=described.name,
        organization=described.organization,
        email=described.email,
        note=described.note,
    )
    credentials_file.store_default_key(file, stored)
    owner = f"{stored.email or NOTHING} ({stored.organization or NOTHING})"
    record = {
        "key_id": stored.key_id,
        "name": stored.name,
        "email": stored.email,
        "organization": stored.organization,
        "file": str(file.expanduser()),
    }
    show(context.format, record, f"Logged in as {owner}; stored the key {stored.name} in {file}")


@auth.command()
@pass_context
def logout(context: CommandContext) -> None:
    """Remove the stored key.

    A key that you created in the console stays valid: delete it there. A key that an earlier
    release of the official client created at login is deleted on the server as well.
    """
    from tinker_ext.config import credentials_file
    from tinker_ext.errors import TinkerError

    file = credentials_file.CREDENTIALS_FILE
    stored = credentials_file.read_stored_key(file)
    if stored is None:
        raise CommandError("No key is stored; `tinker-ext auth login` stores one.")
    failure = None
    if stored.generated:
        try:
            with context.rest(api_key=stored.key) as rest:
                rest.delete_own_api_key().result()
        except TinkerError as error:
            failure = error
    credentials_file.remove_key(file, stored.key_id)
    page = f"{CONSOLE}/keys/{quote(stored.key_id, safe='')}"
    if failure is not None:
        raise CommandError(
            f"Removed the key {stored.name} from {file}, but the server did not delete it "
            f"({failure}). Delete it at {page}"
        )
    record = {"key_id": stored.key_id, "name": stored.name, "deleted_on_server": stored.generated}
    advice = "and deleted it on the server" if stored.generated else f"; delete it at {page}"
    separator = " " if stored.generated else ""
    show(context.format, record, f"Removed the key {stored.name} from {file}{separator}{advice}")


@auth.command()
@pass_context
def status(context: CommandContext) -> None:
    """Show the source of the key, and whether the server accepts it.

    The exit status is 1 if it does not. `tinker-ext doctor` shows all settings.
    """
    from tinker_ext.config import ClientConfig
    from tinker_ext.errors import ConfigurationError, TinkerError

    try:
        config = ClientConfig.resolve(**context.settings)
    except ConfigurationError as error:
        _show_status(context, None, None, describe(error))
        raise click.exceptions.Exit(1) from None
    failure = None
    try:
        with context.service() as service:
            service.get_server_capabilities()
    except TinkerError as error:
        failure = str(error)
    _show_status(context, _source(config), config.base_url, failure)
    if failure is not None:
        raise click.exceptions.Exit(1)


@auth.command()
@pass_context
def whoami(context: CommandContext) -> None:
    """Show the user and the organization of the key in use."""
    with context.rest() as rest:
        identity = rest.whoami().result()
    rows = [
        ("Email", identity.email or NOTHING),
        ("User", identity.user_urn),
        ("Organization", identity.org_urn),
    ]
    show(context.format, identity, properties("Key in use", rows))


def _is_hosted(context: CommandContext) -> bool:
    """Whether the server is the hosted service, whose keys the console shows."""
    from tinker_ext.config import ClientConfig

    config = ClientConfig.resolve(**context.settings, require_key=False)
    return config.is_default("base_url")


def _read_key() -> Secret:
    """Read the key; a terminal does not show it."""
    from tinker_ext.redaction.secret import Secret

    if sys.stdin.isatty():
        text = click.prompt("API key", hide_input=True, err=True)
    else:
        text = sys.stdin.readline()
    if not text.strip():
        raise CommandError("The key is empty; paste it at the prompt or pass it on standard input.")
    return Secret(text.strip())


def _describe(context: CommandContext, key: Secret) -> OwnApiKeyResponse:
    """The name and owner of a key, which the server accepts."""
    from tinker_ext.errors import AuthenticationError, NotFoundError
    from tinker_ext.types import OwnApiKeyResponse

    try:
        with context.service(api_key=key, credential_cmd=None) as service:
            try:
                return service.create_rest_client().get_own_api_key().result()
            except NotFoundError:
                # The server does not describe keys. Does it accept this one?
                service.get_server_capabilities()
                return OwnApiKeyResponse(key_id=0, name=str(service.config.base_url))
    except AuthenticationError as error:
        raise CommandError(f"The server rejects the key: {error}") from error


def _source(config: ClientConfig) -> str:
    """Where the key comes from."""
    if config.is_embedded:
        return "none needed: embedded backend"
    if config.api_key is None:
        return "TINKER_CREDENTIAL_CMD"
    return config.sources.get("api_key", "argument")


def _show_status(
    context: CommandContext, source: str | None, server: str | None, failure: str | None
) -> None:
    record = {
        "credentials": source is not None,
        "source": source,
        "base_url": server,
        "accessible": source is not None and failure is None,
        "error": failure,
    }
    rows = [("Key", source or "none")]
    if server is not None:
        rows += [("Server", server), ("Accessible", "yes" if failure is None else "no")]
    if failure is not None:
        rows.append(("Error", failure))
    show(context.format, record, properties("Authentication", rows))


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
@pass_context
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
    with context.rest() as rest:
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
@pass_context
def checkpoint_storage(
    context: CommandContext, project_id: str | None, csv_path: str | None
) -> None:
    """Show the storage of checkpoints by project and user, with its projected monthly cost."""
    with context.rest() as rest:
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
    import csv

    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns or _columns(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    if file == STDOUT:
        sys.stdout.write(text.getvalue())
    else:
        Path(file).write_text(text.getvalue(), encoding="utf-8", newline="")
