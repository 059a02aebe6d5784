"""`python -m tinker_ext.as_tinker FILE [ARGUMENT ...]` or `... -m MODULE [ARGUMENT ...]`.

`python -m tinker_ext.as_tinker --stubs FOLDER` writes stub files for type checkers and editors.
"""

from __future__ import annotations

import builtins
import os
import runpy
import sys
from pathlib import Path
from types import ModuleType

from tinker_ext.as_tinker import ENVIRONMENT_VARIABLE, install
from tinker_ext.as_tinker.module_table import MAPPED, NAMESPACES

USAGE = """\
usage: python -m tinker_ext.as_tinker FILE [ARGUMENT ...]
       python -m tinker_ext.as_tinker -m MODULE [ARGUMENT ...]
       python -m tinker_ext.as_tinker --stubs FOLDER

Run a Python program so that `import tinker` means tinker_ext, and the command `tinker` is
tinker-ext. Python processes that the program starts do the same. --stubs writes stub files with
which type checkers and editors do the same: Pyright and Pylance read the folder typings, mypy the
folders of its option mypy_path."""


#: Names that a star import does not have, by module.
_FURTHER = {
    "tinker": "__version__: str\n__title__: str\n",
    "tinker._version": "__version__: str\n__title__: str\n",
}


def main(arguments: list[str]) -> None:
    """Run the program with its arguments as Python itself would."""
    if arguments[:1] in (["-h"], ["--help"]):
        sys.stdout.write(f"{USAGE}\n")
        return
    if arguments[:1] == ["--stubs"] and len(arguments) == 2:
        sys.stdout.write(f"{_write_stubs(Path(arguments[1]))}\n")
        return
    as_module = arguments[:1] == ["-m"]
    program = arguments[1:] if as_module else arguments
    if not program or (not as_module and program[0].startswith("-")):
        raise SystemExit(USAGE)
    install()
    os.environ[ENVIRONMENT_VARIABLE] = "1"
    if os.name == "posix":
        _offer_command()
    sys.argv = program
    if as_module:
        runpy.run_module(program[0], run_name="__main__", alter_sys=True)
        return
    if not Path(program[0]).exists():
        raise SystemExit(f"tinker_ext.as_tinker: can't open file {program[0]!r}")
    if not sys.flags.safe_path:
        sys.path[0] = str(Path(program[0]).resolve().parent)
    if Path(program[0]).suffix == ".py":
        _run_file(os.path.abspath(program[0]))
    else:  # A folder or an archive with a `__main__.py`, or byte code.
        runpy.run_path(program[0], run_name="__main__")


def _offer_command() -> None:
    """Let the program run `tinker` as a command, which is then `tinker-ext` of this interpreter."""
    os.environ["TINKER_EXT_AS_TINKER_PYTHON"] = sys.executable
    folder = str(Path(__file__).with_name("bin"))
    os.environ["PATH"] = os.pathsep.join((folder, os.environ.get("PATH", os.defpath)))


def _run_file(path: str) -> None:
    """Run a file as `__main__`.

    Unlike with `runpy`, the module stays in `sys.modules`, where `pickle` looks up the classes of
    the program also in threads and exit handlers that run after its last line.
    """
    module = ModuleType("__main__")
    vars(module).update(__file__=path, __builtins__=builtins)
    sys.modules["__main__"] = module
    exec(compile(Path(path).read_bytes(), path, "exec"), vars(module))


def _write_stubs(folder: Path) -> Path:
    """Write the stub package `tinker` into the folder, and return its path.

    Every module of the alias has the public names of the module of this package that it stands
    for. Pyright and Pylance read the folder `typings` of a project; mypy needs `mypy_path`.
    """
    for module in sorted({*MAPPED, *NAMESPACES}):
        if module.endswith(".__main__"):
            continue
        file = folder.joinpath(*module.split("."), "__init__.pyi")
        file.parent.mkdir(parents=True, exist_ok=True)
        names = f"from {MAPPED[module]} import *\n" if module in MAPPED else ""
        file.write_text(names + _FURTHER.get(module, ""), encoding="utf-8")
    return folder / "tinker"


if __name__ == "__main__":
    main(sys.argv[1:])
