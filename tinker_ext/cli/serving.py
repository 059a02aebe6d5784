"""Options and errors that `serve` and `openai` share."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.config import from_environment
from tinker_ext.config.parsers import read_secret
from tinker_ext.private_files import is_shared
from tinker_ext.redaction.secret import Secret

F = TypeVar("F", bound="Callable[..., Any]")

#: The environment variable that may hold the key of the server.
KEY_VARIABLE = "TINKER_EXT_SERVE_KEY"


def port_option(default: int) -> Callable[[F], F]:
    """The option `--port`."""
    return click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=default,
        show_default=True,
        help="Port to listen on; 0 selects a free port.",
    )


host_option = click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address or host name to listen on. If other machines can reach it, a key is required.",
)

allow_host_option = click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="Additional host name, without a port, that requests may be addressed to, for example "
    "behind a reverse proxy. IP addresses, localhost and the name of --host are always allowed. "
    "May be repeated.",
)


@contextmanager
def report_busy_port(host: str, port: int) -> Iterator[None]:
    """Raise an error that names the option if the port is in use."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise CommandError(
            f"Port {port} on {host} is in use; choose another with --port (0: any free port)."
        ) from error


def read_key(file: Path | None, host: str) -> Secret | None:
    """The key that clients must send, or None if any key is accepted."""
    from tinker_ext.embedded.access import is_loopback

    text: object = None
    if file is not None:
        source, text = f"--key-file {file}", _read_key_file(file)
    elif (variable := from_environment(KEY_VARIABLE)) is not None:
        source, text = KEY_VARIABLE, variable.take()
    if text is not None:
        try:
            return read_secret(text)
        except ValueError as error:
            raise CommandError(f"{source}: {error}.") from None
    if not is_loopback(host):
        raise CommandError(
            f"Other machines can reach {host}, so the server requires a key: pass --key-file FILE "
            f"or set {KEY_VARIABLE}."
        )
    return None


def _read_key_file(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CommandError(f"--key-file {file}: the file is not UTF-8 text.") from None
    except OSError as error:
        raise CommandError(f"--key-file {file}: {error.strerror}.") from None
    if is_shared(file):
        click.echo(f"Warning: other users can read {file}; run: chmod 600 {file}", err=True)
    return text
