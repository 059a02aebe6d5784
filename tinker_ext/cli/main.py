"""The program `tinker-ext`: global options, and where its commands live."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from tinker_ext.cli.context import FORMATS, CommandContext, Format
from tinker_ext.cli.error_reporting import report_errors
from tinker_ext.cli.lazy import LazyCommand, LazyGroup
from tinker_ext.cli.text import escape_what_cannot_be_encoded

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}

COMMANDS = {
    "run": LazyCommand("tinker_ext.cli.commands.run:run", "List and inspect training runs."),
    "checkpoint": LazyCommand(
        "tinker_ext.cli.commands.checkpoint:checkpoint",
        "List, inspect, keep, publish, delete and download checkpoints.",
    ),
    "session": LazyCommand(
        "tinker_ext.cli.commands.session:session",
        "List and inspect sessions, and export their traces.",
    ),
    "model": LazyCommand(
        "tinker_ext.cli.commands.model:model", "List the base models of the server."
    ),
    "serve": LazyCommand(
        "tinker_ext.cli.commands.serve:serve",
        "Run the embedded backend on this machine.",
        local=True,
    ),
    "trace": LazyCommand(
        "tinker_ext.cli.commands.trace:trace",
        "Show where the time of a recorded run went.",
        local=True,
    ),
    "doctor": LazyCommand(
        "tinker_ext.cli.commands.doctor:doctor",
        "Show the configuration and try the server it leads to.",
    ),
    "version": LazyCommand(
        "tinker_ext.cli.commands.version:version", "Show the version.", local=True
    ),
}


class Program(LazyGroup):
    """The outermost group: every error of every command passes here and becomes one line."""

    def invoke(self, ctx: click.Context) -> Any:
        escape_what_cannot_be_encoded()
        with report_errors(traceback=bool(ctx.params.get("traceback"))):
            return super().invoke(ctx)


@click.group(cls=Program, lazy=COMMANDS, context_settings=HELP_OPTIONS)
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
    help='The server to talk to, or "embedded" for one on this machine. '
    "Default: TINKER_BASE_URL, else the hosted service.",
)
@click.option("--traceback", is_flag=True, help="Show where an error comes from.")
@click.pass_context
def program(
    ctx: click.Context, output_format: Format, base_url: str | None, traceback: bool
) -> None:
    """Look after training runs, checkpoints and sessions, and run the embedded backend.

    The key is read from TINKER_API_KEY, else printed by the command in TINKER_CREDENTIAL_CMD, else
    that of the official client's login. There is no option for it, because the arguments of a
    program are visible to everybody on its machine.
    """
    command = COMMANDS.get(ctx.invoked_subcommand or "")
    if base_url is not None and command is not None and command.local:
        raise click.UsageError(f"--base-url: `{ctx.invoked_subcommand}` asks no server.")
    ctx.obj = replace(
        ctx.obj or CommandContext(),
        format=output_format,
        base_url=base_url,
        traceback=traceback,
    )


def main() -> None:
    """Run the program; the entry point of the installed script."""
    program(prog_name="tinker-ext")
