"""The imports at the start of the program, and its help."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from tinker_ext.cli.main import COMMANDS, load_command, program

HEAVY = {"rich", "httpx", "numpy", "attr", "asyncio", "tinker_api", "json", "transformers"}


def test_help_imports_click_and_no_heavy_package() -> None:
    script = (
        "import sys; sys.argv = ['tinker-ext', '--help']\n"
        "from tinker_ext.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', *{name.partition('.')[0] for name in sys.modules})"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(result.stdout.rpartition("LOADED")[2].split())
    assert "click" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("name", list(COMMANDS))
def test_summary_in_program_help_equals_help_of_command(name: str) -> None:
    assert load_command(name).get_short_help_str(limit=200) == COMMANDS[name].summary


def every_command(
    command: click.Command, path: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], click.Command]]:
    commands = [(path, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            commands += every_command(child, (*path, name))
    return commands


@pytest.mark.parametrize(
    "path", [path for path, _ in every_command(program)], ids=lambda path: " ".join(path) or "-"
)
def test_every_command_has_both_help_options(path: tuple[str, ...]) -> None:
    texts = [CliRunner().invoke(program, [*path, option]).output for option in ("-h", "--help")]
    assert texts[0] == texts[1]
    assert texts[0].startswith("Usage: ")


def test_program_without_arguments_prints_its_help() -> None:
    result = CliRunner().invoke(program, [])
    assert result.output.startswith("Usage: ")
    assert "Commands:" in result.output
    assert not isinstance(result.exception, ValueError)
