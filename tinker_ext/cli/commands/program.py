"""`tinker-ext version` and `completion`: the program itself."""

from __future__ import annotations

import platform

import click
from click.shell_completion import get_completion_class

from tinker_ext.cli.context import CommandContext, pass_context
from tinker_ext.cli.output import show
from tinker_ext.version import __version__

#: The variable with which the script asks the program for completions; click derives it from the
#: program's name.
COMPLETE_VARIABLE = "_TINKER_EXT_COMPLETE"

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a script that completes commands and options in a shell.

    Add its output to the start-up file of the shell:

    \b
      bash  eval "$(tinker-ext completion bash)"        in ~/.bashrc
      zsh   eval "$(tinker-ext completion zsh)"         in ~/.zshrc
      fish  tinker-ext completion fish | source         in ~/.config/fish/config.fish
    """
    from tinker_ext.cli.main import PROGRAM_NAME, program

    script = get_completion_class(shell)
    assert script is not None, shell
    click.echo(script(program, {}, PROGRAM_NAME, COMPLETE_VARIABLE).source())


@click.command()
@pass_context
def version(context: CommandContext) -> None:
    """Show the version."""
    record = {"version": __version__, "python": platform.python_version()}
    show(context.format, record, f"tinker-ext {__version__}")
