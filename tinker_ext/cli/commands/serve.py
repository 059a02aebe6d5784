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

from tinker_ext.cli.problems import CommandError
from tinker_ext.embedded.flags import parse_flags
from tinker_ext.embedded.releases import ANY, BY_RELEASE, DIALECTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

#: Not that of other programs people run while they train: 8000 and 8080 are everybody's.
DEFAULT_PORT = 8765
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
    help="The address to listen on. Beyond this machine anybody may use it: no key is checked.",
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
    state_dir: Path | None,
    dialect: str,
    jwt: bool,
    jwt_life: float | None,
    flags: Sequence[str],
) -> None:
    """Run the embedded backend on this machine.

    It trains and samples on a tiny model. When it is ready it prints one line of JSON with its URL;
    point a client at it with base_url or TINKER_BASE_URL, and TINKER_API_KEY=tml-any: it checks no
    key, but clients send one. Ctrl-C ends it.
    """
    if jwt_life is not None and not jwt:
        raise click.UsageError("--jwt-life is for the tokens of --jwt, which is not there.")
    _check_packages()
    announced = _flags(flags)
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
    folder.mkdir(parents=True, exist_ok=True)
    return nullcontext(folder)
