"""`tinker-ext serve`: the embedded backend as a server for any client."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.serving import (
    KEY_VARIABLE,
    allow_host_option,
    host_option,
    port_option,
    read_key,
    report_busy_port,
)
from tinker_ext.config.parsers import EMBEDDED, read_base_url
from tinker_ext.embedded.flags import parse_flags
from tinker_ext.embedded.protocols import ANY, BY_RELEASE, PROTOCOLS
from tinker_ext.install_hints import install_hint
from tinker_ext.private_files import make_private_folder, unusable

if TYPE_CHECKING:
    from tinker_ext.embedded.access import Access
    from tinker_ext.embedded.app import Addition

#: Avoids 8000 and 8080, the common ports of other programs.
DEFAULT_PORT = 8765
#: Lifetime of a token in seconds: the default, and the maximum of one day.
DEFAULT_LIFETIME = 3600.0
MAX_LIFETIME = 86_400.0

#: Former names of options.
_RENAMED_OPTIONS = {"--dialect": "--protocol", "--jwt-life": "--jwt-lifetime"}


class _Command(click.Command):
    """Accepts the former names of options, with a warning."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(map(_current_name, args)))


def _current_name(argument: str) -> str:
    name, sign, value = argument.partition("=")
    if name not in _RENAMED_OPTIONS:
        return argument
    current = _RENAMED_OPTIONS[name]
    click.echo(f"Warning: {name} is deprecated; use {current}.", err=True)
    return f"{current}{sign}{value}"


class _Protocol(click.Choice):  # type: ignore[type-arg]  # generic from click 8.2 on
    """An API release by its short name (0.38) or its full version (0.38.0)."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name: str = super().convert(BY_RELEASE.get(value, value), param, ctx)
        return name


@click.command(cls=_Command)
@port_option(DEFAULT_PORT)
@host_option
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    help="File with the key that clients must send. Default: the key in the environment variable "
    f"{KEY_VARIABLE}, else any key is accepted. The official client requires keys with the prefix "
    "tml-.",
)
@allow_host_option
@click.option(
    "--public-url",
    metavar="URL",
    help="URL at which clients reach the server, if it is behind a reverse proxy. "
    "Archive links start with this URL, and its host is allowed.",
)
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for runs and checkpoints. Default: TINKER_EMBEDDED_DIR, else a temporary folder "
    "that is removed when the server stops.",
)
@click.option(
    "--protocol",
    type=_Protocol(list(PROTOCOLS)),
    default=ANY,
    show_default=True,
    help='API release to implement. The server accepts only what that release defines; "any" '
    "accepts what any release defines.",
)
@click.option(
    "--jwt",
    is_flag=True,
    help="Require clients to exchange their key for a token, as the hosted service may.",
)
@click.option(
    "--jwt-lifetime",
    type=click.FloatRange(min=1, max=MAX_LIFETIME),
    metavar="SECONDS",
    help=f"Lifetime of the tokens of --jwt (default: {DEFAULT_LIFETIME:g}).",
)
@click.option(
    "--flag",
    "flags",
    multiple=True,
    metavar="NAME=VALUE",
    help="Announce a server flag to clients, as the hosted service may. For example, "
    "sample_use_retrieve_futures=true makes clients poll for many samples with one request. May be "
    "repeated.",
)
@click.option(
    "--adapters",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with PEFT adapters, which clients may load by their absolute path "
    "(default: none).",
)
def serve(
    port: int,
    host: str,
    key_file: Path | None,
    allow_hosts: Sequence[str],
    public_url: str | None,
    state_dir: Path | None,
    protocol: str,
    jwt: bool,
    jwt_lifetime: float | None,
    flags: Sequence[str],
    adapters: Path | None,
) -> None:
    """Run the embedded backend on this machine.

    The backend trains and samples with a tiny model. When it is ready, it prints its URL as one
    line of JSON. To use it, set base_url or TINKER_BASE_URL to that URL, and TINKER_API_KEY to
    tml-any: the backend accepts any key unless one is configured. It rejects requests from web
    pages. OpenAI's clients sample from it at URL/oai/api/v1. Press Ctrl-C to stop it.
    """
    if jwt_lifetime is not None and not jwt:
        raise click.UsageError("--jwt-lifetime requires --jwt.")
    _check_packages()
    announced, key = _flags(flags), read_key(key_file, host)
    from tinker_ext.embedded.engine.threads import limit_blas_threads

    limit_blas_threads(os.environ)  # Before the first import of numpy.
    from tinker_ext.embedded import serve as server

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with (
        _exit_on_sigterm(),
        _state_folder(state_dir) as folder,
        report_busy_port(host, port),
    ):
        click.echo(f"Storing runs and checkpoints in {folder}", err=True)
        try:
            server.serve(
                port,
                Path(folder),
                host,
                protocol=protocol,
                jwt_lifetime=(jwt_lifetime or DEFAULT_LIFETIME) if jwt else None,
                flags=announced,
                key=key,
                allow_hosts=allow_hosts,
                public_url=None if public_url is None else _url(public_url),
                adapters=adapters,
                addition=_openai_routes,
            )
        except RuntimeError as error:
            raise CommandError(str(error)) from error


def _openai_routes(url: str, access: Access) -> Addition:
    """The OpenAI-compatible endpoint over the server at `url`, which checks the callers' keys."""
    from tinker_ext.cli.openai_routes import make_endpoint
    from tinker_ext.embedded.app import Addition

    endpoint = make_endpoint({"base_url": url}, access)
    return Addition(endpoint.routes(), endpoint.close)


@contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Make SIGTERM unwind the stack, as Ctrl-C does, so that a temporary folder is removed."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _flags(texts: Sequence[str]) -> dict[str, Any]:
    try:
        return parse_flags(texts)
    except ValueError as error:
        raise CommandError(f"--flag: {error}") from None


def _url(text: str) -> str:
    try:
        url = read_base_url(text)
    except ValueError as error:
        raise CommandError(f"--public-url: {error}.") from None
    if url == EMBEDDED:
        raise CommandError("--public-url: expected a URL such as https://tinker.example.")
    return url


def _check_packages() -> None:
    from tinker_ext.embedded.launch import NEEDED

    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise CommandError(
            f"The embedded backend needs {', '.join(missing)}: {install_hint('embedded')}"
        )


def _state_folder(chosen: Path | None) -> AbstractContextManager[str | Path]:
    """The folder for the state; a temporary folder is removed at the end."""
    from tinker_ext.config import ClientConfig

    folder = chosen or ClientConfig.resolve(require_key=False).embedded_dir
    if folder is None:
        return tempfile.TemporaryDirectory(prefix="tinker-")
    try:
        make_private_folder(folder)
    except OSError as error:
        raise CommandError(
            f"Cannot use {folder} as the state folder: {unusable(error)}. Choose another with "
            "--state-dir."
        ) from error
    return nullcontext(folder)
