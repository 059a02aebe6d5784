"""`tinker-ext serve`: the embedded backend by itself, for any client on this machine."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import tempfile
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.config import from_environment
from tinker_ext.config.parsers import EMBEDDED, read_base_url, read_secret
from tinker_ext.embedded.flags import parse_flags
from tinker_ext.embedded.releases import ANY, BY_RELEASE, DIALECTS
from tinker_ext.private_files import is_shared, make_private_folder, unusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from tinker_ext.redaction.secret import Secret

#: Not that of other programs people run while they train: 8000 and 8080 are everybody's.
DEFAULT_PORT = 8765
#: The environment variable that may hold the key of the server.
KEY_VARIABLE = "TINKER_EXT_SERVE_KEY"
#: Seconds that a token lives, and may live at most: a day.
DEFAULT_LIFE = 3600.0
MAX_LIFE = 86_400.0


class _Dialect(click.Choice):  # type: ignore[type-arg]  # generic from click 8.2 on
    """A dialect by its name, or by the whole number of its release."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name: str = super().convert(BY_RELEASE.get(value, value), param, ctx)
        return name


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="The port to listen on; 0 takes a free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on. One that other machines can reach needs a key.",
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    help=f"A file with the key that clients must send. The variable {KEY_VARIABLE} may hold the "
    "key itself instead. The official client takes keys that begin with tml- only.",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="A host name, without a port, that requests may be addressed to, as behind a proxy; IP "
    "addresses, localhost and the name of --host always may. May be repeated.",
)
@click.option(
    "--public-url",
    metavar="URL",
    help="Where clients reach the server, if a proxy is in front of it: links to archives begin "
    "with it. Its host is allowed, too.",
)
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where runs and checkpoints are kept. Default: TINKER_EMBEDDED_DIR, "
    "else a temporary folder that goes with the server.",
)
@click.option(
    "--dialect",
    type=_Dialect(list(DIALECTS)),
    default=ANY,
    show_default=True,
    help="The release of the API to speak: of one release only what it has, or of any all.",
)
@click.option(
    "--jwt",
    is_flag=True,
    help="Have clients exchange their key for a token, as the hosted service may.",
)
@click.option(
    "--jwt-life",
    type=click.FloatRange(min=1, max=MAX_LIFE),
    show_default=f"{DEFAULT_LIFE:g}",
    metavar="SECONDS",
    help="How long a token of --jwt lives.",
)
@click.option(
    "--flag",
    "flags",
    multiple=True,
    metavar="NAME=VALUE",
    help="Announce a flag to clients, as the hosted service may; sample_use_retrieve_futures=true "
    "has them ask for many samples at once. May be repeated.",
)
def serve(
    port: int,
    host: str,
    key_file: Path | None,
    allow_hosts: Sequence[str],
    public_url: str | None,
    state_dir: Path | None,
    dialect: str,
    jwt: bool,
    jwt_life: float | None,
    flags: Sequence[str],
) -> None:
    """Run the embedded backend on this machine.

    It trains and samples on a tiny model. When it is ready it prints one line of JSON with its URL;
    point a client at it with base_url or TINKER_BASE_URL, and TINKER_API_KEY=tml-any: without
    --key-file it takes any key. Requests of web pages are refused. Ctrl-C ends it.
    """
    if jwt_life is not None and not jwt:
        raise click.UsageError("--jwt-life is for the tokens of --jwt, which is not there.")
    _check_packages()
    announced, key = _flags(flags), _key(key_file, host)
    from tinker_ext.embedded.engine.threads import limit_blas_threads

    limit_blas_threads(os.environ)  # before anything imports numpy
    from tinker_ext.embedded import serve as server

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with _ended_by_sigterm(), _state_folder(state_dir) as folder:
        click.echo(f"Runs and checkpoints are kept in {folder}", err=True)
        try:
            server.serve(
                port,
                Path(folder),
                host,
                dialect=dialect,
                jwt_life=(jwt_life or DEFAULT_LIFE) if jwt else None,
                flags=announced,
                key=key,
                allow_hosts=allow_hosts,
                public_url=None if public_url is None else _url(public_url),
            )
        except RuntimeError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise CommandError(
                f"Port {port} of {host} is in use; choose another with --port, 0 for a free one."
            ) from error


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Have a SIGTERM unwind the stack, as Ctrl-C does, so that a temporary folder is removed."""
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


def _key(file: Path | None, host: str) -> Secret | None:
    """The key that clients must send; None if they may send any."""
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
            f"Other machines can reach {host}, so clients must send a key: give it with "
            f"--key-file FILE or in {KEY_VARIABLE}."
        )
    return None


def _read_key_file(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CommandError(f"--key-file {file}: it is not text.") from None
    except OSError as error:
        raise CommandError(f"--key-file {file}: {error.strerror}.") from None
    if is_shared(file):
        click.echo(f"Warning: other users can read {file}; chmod 600 it.", err=True)
    return text


def _url(text: str) -> str:
    try:
        url = read_base_url(text)
    except ValueError as error:
        raise CommandError(f"--public-url: {error}.") from None
    if url == EMBEDDED:
        raise CommandError("--public-url: a URL such as https://tinker.example is needed.")
    return url


def _check_packages() -> None:
    from tinker_ext.embedded.launch import NEEDED

    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise CommandError(
            f"The embedded backend needs {', '.join(missing)}: pip install 'tinker-ext[embedded]'"
        )


def _state_folder(chosen: Path | None) -> AbstractContextManager[str | Path]:
    """The folder to use; a temporary one is removed at the end."""
    from tinker_ext.config import ClientConfig

    folder = chosen or ClientConfig.resolve(require_key=False).embedded_dir
    if folder is None:
        return tempfile.TemporaryDirectory(prefix="tinker-")
    try:
        make_private_folder(folder)
    except OSError as error:
        raise CommandError(
            f"{folder} can't be used as the state folder: {unusable(error)}; choose another with "
            "--state-dir."
        ) from error
    return nullcontext(folder)
