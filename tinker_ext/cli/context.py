"""What the commands share: the global options, and the one way to a server."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tinker_ext import ServiceClient

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

Format = Literal["table", "json"]

#: Seconds a command keeps retrying a server that fails or does not answer. The client's own 300 s
#: suit a training run; somebody at a prompt wants to hear of a wrong address soon.
RETRY_WINDOW = 5.0
#: How many things a list shows where nobody says.
DEFAULT_LIMIT = 20


@contextmanager
def open_service(**settings: Any) -> Iterator[ServiceClient]:
    """A service client for the time of one command; settings left out come from the environment."""
    import tinker_ext

    window = settings.get("retry_window", RETRY_WINDOW)
    # Nor does anybody at a prompt wait for an account to be paid.
    windows = {"retry_window": window, "billing_window": window}
    with tinker_ext.ServiceClient(**{**windows, **settings}) as service:
        yield service


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The global options, and how to open a service with them (tests put their own here)."""

    format: Format = "table"
    base_url: str | None = None
    traceback: bool = False
    opener: Callable[..., AbstractContextManager[ServiceClient]] = open_service

    @property
    def settings(self) -> dict[str, Any]:
        """What the command line says about the configuration."""
        return {} if self.base_url is None else {"base_url": self.base_url}

    def service(self, **settings: Any) -> AbstractContextManager[ServiceClient]:
        return self.opener(**self.settings, **settings)


FORMATS = click.Choice(["table", "json"])


def _use_format(ctx: click.Context, _parameter: click.Parameter, value: Format | None) -> None:
    if value is not None:
        ctx.obj = replace(ctx.obj, format=value)


#: `--format` on a command itself, for those who write it last; it wins over the global one.
format_option = click.option(
    "-f",
    "--format",
    type=FORMATS,
    expose_value=False,
    is_eager=True,
    callback=_use_format,
    help="Output format (default: table).",
)


def limit_option(what: str) -> Decorator:
    """`--limit` of a command that lists; `what` says of which things."""
    return click.option(
        "--limit",
        type=click.IntRange(min=0),
        default=DEFAULT_LIMIT,
        show_default=True,
        help=f"{what}; 0 shows all.",
    )
