"""The program `tinker-ext`: global options and the registry of its commands."""

from __future__ import annotations

import itertools
from dataclasses import replace
from importlib import import_module
from typing import Any, NamedTuple

import click

from tinker_ext.cli.context import (
    FORMAT_KEY,
    FORMATS,
    CommandContext,
    Format,
)
from tinker_ext.cli.error_reporting import as_json, report_errors
from tinker_ext.cli.output import escape_unencodable_output
from tinker_ext.version import __version__

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


class LazyCommand(NamedTuple):
    """The module of a command, its line in the help, and whether it connects to no server.

    The summary is repeated here because reading it from the command would import the command.
    """

    module: str
    summary: str
    local: bool = False


#: The commands by name. Each is the attribute of that name of its module in `cli.commands`.
COMMANDS = {
    "run": LazyCommand("runs", "List and inspect training runs, and draw their metrics."),
    "checkpoint": LazyCommand(
        "checkpoint",
        "List, inspect, publish, expire, delete, download, export and upload checkpoints.",
    ),
    "session": LazyCommand("runs", "List and inspect sessions, and export their traces."),
    "model": LazyCommand("runs", "List the base models of the server."),
    "auth": LazyCommand("account", "Log in and out, and check the stored key."),
    "billing": LazyCommand("account", "Show the usage of your organization."),
    "serve": LazyCommand("serve", "Run the embedded backend on this machine.", local=True),
    "openai": LazyCommand("serve", "Serve an OpenAI-compatible endpoint in front of a server."),
    "data": LazyCommand("data", "Show training data as the model sees it.", local=True),
    "trace": LazyCommand("trace", "Show where the time of a recorded run went.", local=True),
    "doctor": LazyCommand(
        "doctor", "Show the configuration and check the connection to the server."
    ),
    "check-server": LazyCommand(
        "check_server", "Train, sample, save and list on the server at URL, and report the results."
    ),
    "conformance": LazyCommand(
        "conformance",
        "Grade a client, in any language, by the rules of the porting guide.",
        local=True,
    ),
    "completion": LazyCommand(
        "program", "Print a script that completes commands and options in a shell.", local=True
    ),
    "version": LazyCommand("program", "Show the version.", local=True),
}


def load_command(name: str) -> click.Command:
    """Import a command of `COMMANDS`."""
    module = import_module(f"tinker_ext.cli.commands.{COMMANDS[name].module}")
    command = getattr(module, name.replace("-", "_"))
    assert isinstance(command, click.Command), name
    return command


class Program(click.Group):
    """The top-level group. Reports the errors of all commands as a single line, or as JSON.

    It imports a command when it runs, not to list it in the help.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return load_command(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        arguments = options.get("args", args[1] if len(args) > 1 else ())
        json_wanted = _asks_for_json(list(arguments))  # before the parser takes them from the list
        try:
            return super().make_context(*args, **options)
        except click.UsageError as error:
            raise (as_json(error) if json_wanted else error) from None

    def invoke(self, ctx: click.Context) -> Any:
        escape_unencodable_output()
        # An option of the subcommand takes precedence.
        ctx.meta.setdefault(FORMAT_KEY, ctx.params.get("output_format"))
        try:
            with report_errors(traceback=bool(ctx.params.get("traceback"))):
                return super().invoke(ctx)
        except click.ClickException as error:
            if ctx.meta.get(FORMAT_KEY) != "json":
                raise
            raise as_json(error) from error


def _asks_for_json(arguments: list[str]) -> bool:
    """Whether arguments that can't be parsed contain the option for JSON."""
    pairs = itertools.zip_longest(arguments, arguments[1:])
    return any(
        argument in ("--format=json", "-fjson")
        or (argument in ("-f", "--format") and value == "json")
        for argument, value in pairs
    )


@click.group(cls=Program, context_settings=HELP_OPTIONS)
@click.option(
    "-f",
    "--format",
    "output_format",
    type=FORMATS,
    default="table",
    show_default=True,
    help="Output format.",
)
@click.option(
    "--base-url",
    metavar="URL",
    help='Base URL of the server, or "embedded" to start a server on this machine. '
    "Default: TINKER_BASE_URL, else the hosted service.",
)
@click.option("--traceback", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, message="tinker-ext %(version)s")
@click.pass_context
def program(
    ctx: click.Context, output_format: Format, base_url: str | None, traceback: bool
) -> None:
    """Manage training runs, checkpoints and sessions, and run the embedded backend.

    The API key is read from TINKER_API_KEY. If it is not set, the key is the output of the command
    in TINKER_CREDENTIAL_CMD, or else the key stored by `tinker-ext auth login`. There is no
    option for the key because other users of the machine can read a program's arguments.
    """
    command = COMMANDS.get(ctx.invoked_subcommand or "")
    if base_url is not None and command is not None and command.local:
        raise click.UsageError(f"`{ctx.invoked_subcommand}` doesn't take --base-url; leave it out.")
    ctx.obj = replace(
        ctx.obj or CommandContext(),
        format=output_format,
        base_url=base_url,
        traceback=traceback,
    )


PROGRAM_NAME = "tinker-ext"


def main() -> None:
    """Run the program; the entry point of the installed script."""
    program(prog_name=PROGRAM_NAME)
