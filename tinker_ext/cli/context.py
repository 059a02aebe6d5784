"""Shared by all commands: the global options and the connection to a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import click

from tinker_ext.cli.error_reporting import CommandError

if TYPE_CHECKING:
    from tinker_ext import RestClient, ServiceClient

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
Format = Literal["table", "json"]

#: Seconds that a command retries a server that fails or does not respond. The client's default of
#: 300 s suits a training run; a user at a prompt should hear of a wrong URL quickly.
RETRY_WINDOW = 5.0
#: Default number of items in a list.
DEFAULT_LIMIT = 20


@contextmanager
def open_service(**settings: Any) -> Iterator[ServiceClient]:
    """Open a service client for one command; missing settings come from the environment."""
    import tinker_ext

    window = settings.get("retry_window", RETRY_WINDOW)
    # A command does not wait for a billing problem to be resolved either.
    windows = {"retry_window": window, "billing_window": window}
    with tinker_ext.ServiceClient(**{**windows, **settings}) as service:
        yield service


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The global options, and how to open a service with them (tests replace `opener`)."""

    format: Format = "table"
    base_url: str | None = None
    traceback: bool = False
    opener: Callable[..., AbstractContextManager[ServiceClient]] = open_service

    @property
    def settings(self) -> dict[str, Any]:
        """Configuration settings given on the command line."""
        return {} if self.base_url is None else {"base_url": self.base_url}

    def service(self, **settings: Any) -> AbstractContextManager[ServiceClient]:
        return self.opener(**self.settings, **settings)

    @contextmanager
    def rest(self, **settings: Any) -> Iterator[RestClient]:
        """Open a service, and return its REST client."""
        with self.service(**settings) as service:
            yield service.create_rest_client()


FORMATS = click.Choice(["table", "json"])

#: Name in `click.Context.meta`, which all commands of an invocation share, of the output format.
FORMAT_KEY = "tinker_ext.format"


def _use_format(ctx: click.Context, _parameter: click.Parameter, value: Format | None) -> None:
    if value is not None:
        ctx.obj = replace(ctx.obj, format=value)
        ctx.meta[FORMAT_KEY] = value


# `--format` of an individual command; takes precedence over the global option.
_format_option = click.option(
    "-f",
    "--format",
    type=FORMATS,
    expose_value=False,
    is_eager=True,
    callback=_use_format,
    help="Output format (default: table).",
)


def pass_context(function: Callable[..., Any]) -> Callable[..., Any]:
    """Pass the `CommandContext` to a command as its first argument, and add `--format`."""
    return _format_option(click.pass_obj(function))


def limit_option(items: str) -> Decorator:
    """The option `--limit` of a command that lists `items`."""
    return click.option(
        "--limit",
        type=click.IntRange(min=0),
        default=DEFAULT_LIMIT,
        show_default=True,
        help=f"Maximum number of {items} to show; 0 shows all.",
    )


def check_path(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Reject a value that cannot be a checkpoint path; a click callback."""
    from tinker_ext.clients.argument_checks import is_path

    if not is_path(value):
        raise CommandError(
            f"{value!r} is not a checkpoint path; expected tinker://RUN/weights/NAME. "
            "`tinker-ext checkpoint list` shows the existing checkpoints."
        )
    return value


path_argument = click.argument("path", callback=check_path)
