"""Reports an error as one line that says what happened and what to do, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import click
from click.exceptions import NoArgsIsHelpError

from tinker_ext.cli.output import one_line
from tinker_ext.install_hints import install_hint

#: Exit status after Ctrl-C, by the convention of shells: 128 + SIGINT.
INTERRUPTED = 130
#: Exit status of wrong arguments, by the convention of click.
USAGE = 2


#: What to do without a key; the hint of the client names arguments of Python.
NO_KEY_HINT = (
    "Run `tinker-ext auth login`, set TINKER_API_KEY, or set TINKER_CREDENTIAL_CMD to a command "
    "that prints one. The embedded backend needs none: tinker-ext --base-url embedded COMMAND."
)


class CommandError(click.ClickException):
    """A failed command: one line on standard error, exit status 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"Error: {one_line(self.message)}", file=file, err=file is None)


@contextmanager
def needs_matplotlib() -> Iterator[None]:
    """Report how to install matplotlib if an import in the block does not find it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "matplotlib":
            raise
        raise CommandError(f"Drawing needs matplotlib: {install_hint('plot')}") from None


class JsonError(click.ClickException):
    """A failed command: a JSON object on standard error."""

    def __init__(self, record: Mapping[str, object]) -> None:
        super().__init__(str(record["message"]))
        self.record = record

    def show(self, file: IO[Any] | None = None) -> None:
        import json

        click.echo(json.dumps({"error": self.record}), file=file, err=file is None)


class JsonUsageError(JsonError):
    """The same for wrong arguments."""

    exit_code = USAGE


def as_json(error: click.ClickException) -> click.ClickException:
    """The same error, reported as JSON: its type, message, and for API errors their fields."""
    if isinstance(error, NoArgsIsHelpError | JsonError):
        return error
    cause = error.__cause__ if isinstance(error, CommandError) else None
    kind = type(cause or error).__name__
    record: dict[str, object] = {"type": kind, "message": one_line(error.format_message())}
    for name in ("status_code", "request_id", "operation"):
        value = getattr(cause, name, None)
        if value is not None:
            record[name] = value
    return (JsonUsageError if error.exit_code == USAGE else JsonError)(record)


@contextmanager
def report_errors(*, traceback: bool = False) -> Iterator[None]:
    """Convert exceptions of a command to one-line errors; with `traceback`, let them propagate."""
    try:
        yield
    except (KeyboardInterrupt, click.Abort):
        raise click.exceptions.Exit(INTERRUPTED) from None
    except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
        raise
    except Exception as error:
        if traceback:
            raise
        raise CommandError(describe(error)) from error


def describe(error: Exception) -> str:
    """Describe an error and its remedy in one line."""
    from tinker_ext import errors

    if not isinstance(error, errors.TinkerError):
        return _describe_foreign(error)
    if isinstance(error, errors.ConfigurationError) and error.setting == "api_key" and error.hint:
        return f"{error.message} {NO_KEY_HINT}"
    # An error that has a hint needs no further advice.
    advice = "" if error.hint else _advice(error)
    text = str(error)
    return f"{text.rstrip('.')}. {advice}" if advice else text


def _advice(error: Exception) -> str:
    from tinker_ext import errors

    table: tuple[tuple[type[Exception], str], ...] = (
        (
            errors.NotFoundError,
            "`tinker-ext run list`, `tinker-ext checkpoint list` and `tinker-ext session list` "
            "show what exists.",
        ),
        (errors.InternalServerError, "The server failed; try again later."),
        (errors.APIConnectionError, "Check the network and the base URL with `tinker-ext doctor`."),
    )
    return next((advice for kind, advice in table if isinstance(error, kind)), "")


def _describe_foreign(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        subject = f"{error.filename}: " if error.filename else ""
        return f"{subject}{error.strerror}"
    message = f": {error}" if str(error) else ""
    return f"{type(error).__name__}{message} (use --traceback for details)"
