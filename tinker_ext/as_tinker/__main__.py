"""`python -m tinker_ext.as_tinker FILE [ARGUMENT ...]` or `... -m MODULE [ARGUMENT ...]`.

`python -m tinker_ext.as_tinker --stubs FOLDER` writes stub files for type checkers and editors.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from tinker_ext.as_tinker import ENVIRONMENT_VARIABLE, install
from tinker_ext.as_tinker.stubs import write_stubs

USAGE = """\
usage: python -m tinker_ext.as_tinker FILE [ARGUMENT ...]
       python -m tinker_ext.as_tinker -m MODULE [ARGUMENT ...]
       python -m tinker_ext.as_tinker --stubs FOLDER

Run a Python program so that `import tinker` means tinker_ext. Python processes that the program
starts do the same. --stubs writes stub files with which type checkers and editors do the same:
Pyright and Pylance read the folder typings, mypy the folders of its option mypy_path."""


def main(arguments: list[str]) -> None:
    """Run the program with its arguments as Python itself would."""
    if arguments[:1] in (["-h"], ["--help"]):
        sys.stdout.write(f"{USAGE}\n")
        return
    if arguments[:1] == ["--stubs"] and len(arguments) == 2:
        sys.stdout.write(f"{write_stubs(Path(arguments[1]))}\n")
        return
    as_module = arguments[:1] == ["-m"]
    program = arguments[1:] if as_module else arguments
    if not program or (not as_module and program[0].startswith("-")):
        raise SystemExit(USAGE)
    install()
    os.environ[ENVIRONMENT_VARIABLE] = "1"
    sys.argv = program
    if as_module:
        runpy.run_module(program[0], run_name="__main__", alter_sys=True)
        return
    if not Path(program[0]).exists():
        raise SystemExit(f"tinker_ext.as_tinker: can't open file {program[0]!r}")
    if not sys.flags.safe_path:
        sys.path[0] = str(Path(program[0]).resolve().parent)
    runpy.run_path(program[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
