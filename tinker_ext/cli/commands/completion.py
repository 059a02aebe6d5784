"""`tinker-ext completion`: completes commands and options in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

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
