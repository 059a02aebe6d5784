"""`tinker-ext openai`: an OpenAI-compatible endpoint in front of a server."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinker_ext.cli.context import CommandContext
from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.serving import (
    KEY_VARIABLE,
    allow_host_option,
    host_option,
    port_option,
    read_key,
    report_busy_port,
)
from tinker_ext.config import ClientConfig
from tinker_ext.install_hints import install_hint

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from tinker_ext.openai_api import OpenAIEndpoint

#: The port after that of `tinker-ext serve`.
DEFAULT_PORT = 8766
#: Packages of the extra `openai` that the server needs.
NEEDED = ("jinja2", "starlette", "uvicorn")


@click.command(name="openai")
@port_option(DEFAULT_PORT)
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
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise CommandError(f"The endpoint needs {', '.join(missing)}: {install_hint('openai')}")
    key = read_key(key_file, host)
    if key is not None:
        ClientConfig.resolve(**context.settings)  # Reports a missing API key at once.
    from tinker_ext.cli.openai_routes import make_endpoint
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
