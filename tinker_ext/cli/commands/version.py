"""`tinker-ext version`: the version of this package and of Python."""

from __future__ import annotations

import platform

import click

from tinker_ext.cli.context import CommandContext, format_option
from tinker_ext.cli.output import show
from tinker_ext.version import __version__


@click.command()
@format_option
@click.pass_obj
def version(context: CommandContext) -> None:
    """Show the version."""
    record = {"version": __version__, "python": platform.python_version()}
    show(context.format, record, f"tinker-ext {__version__}")
