"""`tinker-ext serve` and `tinker-ext openai`: servers on this machine."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tinker_ext.cli.context import CommandContext
from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.config import ClientConfig, from_environment
from tinker_ext.config.parsers import EMBEDDED, read_base_url, read_secret
from tinker_ext.embedded.flags import parse_flags
from tinker_ext.embedded.protocols import ANY, BY_RELEASE, PROTOCOLS
from tinker_ext.install_hints import install_hint
from tinker_ext.private_files import is_shared, make_private_folder, unusable
from tinker_ext.redaction.secret import Secret

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from tinker_ext.clients.service import ServiceClient
    from tinker_ext.embedded.access import Access
    from tinker_ext.embedded.app import Addition
    from tinker_ext.openai_api import OpenAIEndpoint


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


def make_endpoint(
    settings: dict[str, Any],
    access: Access,
    key: Secret | None = None,
    tokenizer_id: str | None = None,
) -> OpenAIEndpoint:
    """The endpoint in front of the server in `settings`, the arguments of `ServiceClient`.

    `access` rejects requests of web pages. Callers must send `key`; without one, the key of each
    caller is sent to the server. `tokenizer_id` replaces the tokenizers of the models.
    """
    from tinker_ext.embedded.errors import RejectedRequestError
    from tinker_ext.openai_api import EndpointError, OpenAIEndpoint

    def open_service(caller_key: Secret | None) -> ServiceClient:
        import tinker_ext

        credentials = {} if caller_key is None else {"api_key": caller_key}
        return tinker_ext.ServiceClient(**{**settings, **credentials})

    def check(request: Request) -> None:
        try:
            access.check(request)
        except RejectedRequestError as error:
            raise EndpointError(error.status, str(error.detail)) from None

    return OpenAIEndpoint(open_service, check=check, key=key, tokenizer_id=tokenizer_id)


#: Avoids 8000 and 8080, the common ports of other programs.
SERVE_PORT = 8765
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
@port_option(SERVE_PORT)
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
                public_url=None if public_url is None else _public_url(public_url),
                adapters=adapters,
                addition=_openai_addition,
            )
        except RuntimeError as error:
            raise CommandError(str(error)) from error


def _openai_addition(url: str, access: Access) -> Addition:
    """The OpenAI-compatible endpoint over the server at `url`, which checks the callers' keys."""
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


def _public_url(text: str) -> str:
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


#: The port after that of `tinker-ext serve`.
OPENAI_PORT = 8766
#: Packages of the extra `openai` that the server needs.
OPENAI_NEEDED = ("jinja2", "starlette", "uvicorn")


@click.command(name="openai")
@port_option(OPENAI_PORT)
@host_option
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    help="File with the key that callers must send. The server then receives the configured API "
    f"key (TINKER_API_KEY, ...). Default: the key in {KEY_VARIABLE}; without one, each caller "
    "sends the API key of the server.",
)
@click.option(
    "--tokenizer",
    "tokenizer_id",
    metavar="ID",
    help="Folder or repository of the Hugging Face hub with the tokenizer of the models. Default: "
    "that of each base model, loaded from the hub.",
)
@allow_host_option
@click.pass_obj
def openai(
    context: CommandContext,
    port: int,
    host: str,
    key_file: Path | None,
    tokenizer_id: str | None,
    allow_hosts: Sequence[str],
) -> None:
    """Serve an OpenAI-compatible endpoint in front of a server.

    The endpoint has the operations chat/completions, completions and models. The model is the name
    of a base model or the tinker:// path of sampler weights. When it is ready, the command prints
    its base URL as one line of JSON. It rejects requests from web pages. Press Ctrl-C to stop it.
    """
    if missing := [name for name in OPENAI_NEEDED if find_spec(name) is None]:
        raise CommandError(f"The endpoint needs {', '.join(missing)}: {install_hint('openai')}")
    key = read_key(key_file, host)
    if key is not None:
        ClientConfig.resolve(**context.settings)  # Reports a missing API key at once.
    from tinker_ext.embedded.access import Access
    from tinker_ext.embedded.http_server import run_app
    from tinker_ext.openai_api.endpoint import PREFIX

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    endpoint = make_endpoint(context.settings, Access((host, *allow_hosts)), key, tokenizer_id)
    with report_busy_port(host, port):
        run_app(_application(endpoint), host, port, path=PREFIX)


def _application(endpoint: OpenAIEndpoint) -> Starlette:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.responses import JSONResponse

    from tinker_ext.openai_api import EndpointError
    from tinker_ext.openai_api.endpoint import PREFIX

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await endpoint.close()

    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        message = (
            f"{request.method} {request.url.path} is not an operation of this endpoint. Its base "
            f"URL ends in {PREFIX}, and it has POST chat/completions, POST completions and GET "
            "models."
        )
        return JSONResponse(EndpointError(error.status_code, message).body(), error.status_code)

    app = Starlette(
        routes=endpoint.routes(),
        lifespan=lifespan,
        exception_handlers={404: unknown, 405: unknown},
    )
    # A redirect would be sent before any check, to the host that the request names.
    app.router.redirect_slashes = False
    return app
