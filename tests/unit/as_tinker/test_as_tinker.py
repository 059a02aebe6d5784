"""`import tinker` means this package: in a process, for a program, and by the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from conformance.interop.environments import ROOT
from tinker_ext.as_tinker import ENVIRONMENT_VARIABLE, finder, install
from tinker_ext.as_tinker.module_table import RELEASE
from tinker_ext.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PTH = ROOT / "tinker_ext" / "as_tinker" / "tinker_ext_as_tinker.pth"
#: Prints what a program sees of the package.
PROGRAM = """
import sys
import tinker
print(__name__, tinker.ServiceClient.__module__, sys.argv[1:])
"""


def python(
    *arguments: str,
    path: Sequence[Path] = (),
    code: int = 0,
    switch: str | None = None,
    commands: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run Python; `path` precedes other folders, as site-packages with the official package do.

    `commands` is the first folder of PATH.
    """
    inherited = {k: v for k, v in os.environ.items() if k != ENVIRONMENT_VARIABLE}
    if switch is not None:
        inherited[ENVIRONMENT_VARIABLE] = switch
    search = os.pathsep.join(map(str, [*path, ROOT, ROOT / "generated"]))
    process = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env={
            **inherited,
            "PYTHONPATH": search,
            "PATH": os.pathsep.join(filter(None, (str(commands or ""), os.environ["PATH"]))),
        },
    )
    assert process.returncode == code, process.stdout + process.stderr
    return process


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """A folder with another package named `tinker`, as if the official one were installed."""
    folder = tmp_path / "site"
    types = folder / "tinker" / "types"
    types.mkdir(parents=True)
    (folder / "tinker" / "__init__.py").write_text("class ServiceClient: ...\n")
    (types / "__init__.py").write_text("")
    (types / "tensor_data.py").write_text("class TensorData: ...\n")
    metadata = folder / "tinker-0.1.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: tinker\nVersion: 0.1\n")
    return folder


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "program" / "train.py"
    path.parent.mkdir()
    path.write_text(PROGRAM)
    return path


def test_script_runs_with_its_arguments_although_the_official_package_is_installed(
    script: Path, official: Path
) -> None:
    run = python("-m", "tinker_ext.as_tinker", str(script), "--steps", "3", path=[official])
    assert run.stdout == "__main__ tinker_ext.clients.service ['--steps', '3']\n"


def test_script_imports_its_neighbours(script: Path) -> None:
    (script.parent / "neighbour.py").write_text("VALUE = 5\n")
    script.write_text("import neighbour\nprint(neighbour.VALUE)\n")
    assert python("-m", "tinker_ext.as_tinker", str(script)).stdout == "5\n"


def test_module_runs_with_its_arguments(script: Path, official: Path) -> None:
    run = python(
        *("-m", "tinker_ext.as_tinker", "-m", "train", "one"), path=[script.parent, official]
    )
    assert run.stdout == "__main__ tinker_ext.clients.service ['one']\n"


def test_exit_status_of_the_program_is_kept(script: Path) -> None:
    script.write_text("raise SystemExit(7)\n")
    python("-m", "tinker_ext.as_tinker", str(script), code=7)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "usage: python -m tinker_ext.as_tinker FILE"),
        (["-m"], "usage: python -m tinker_ext.as_tinker FILE"),
        (["--unknown"], "usage: python -m tinker_ext.as_tinker FILE"),
        (["missing.py"], "can't open file 'missing.py'"),
    ],
)
def test_invalid_command_reported(arguments: list[str], words: str) -> None:
    run = python("-m", "tinker_ext.as_tinker", *arguments, code=1)
    assert words in run.stderr
    assert "Traceback" not in run.stderr


def test_variable_switches_the_alias_on_in_every_process(official: Path) -> None:
    """The `.pth` file of the wheel calls `install`; Python executes it at every start."""
    folder = official.parent / "packages"
    folder.mkdir()
    (folder / PTH.name).write_text(PTH.read_text())
    start = f"import site; site.addsitedir({str(folder)!r}); import tinker; "
    shown = f"{start} print(tinker.ServiceClient.__module__)"
    assert python("-c", shown, path=[official]).stdout == "tinker\n"
    switched = python("-c", shown, path=[official], switch="1")
    assert switched.stdout == "tinker_ext.clients.service\n"


def test_program_passes_the_switch_to_its_processes(script: Path) -> None:
    script.write_text(f"import os\nprint(os.environ[{ENVIRONMENT_VARIABLE!r}])\n")
    assert python("-m", "tinker_ext.as_tinker", str(script)).stdout == "1\n"


def test_submodules_come_from_this_package_even_if_the_official_one_is_installed(
    script: Path, official: Path
) -> None:
    script.write_text(
        "import tinker\n"
        "from tinker.types.tensor_data import TensorData\n"
        "from tinker.lib.public_interfaces.api_future import AwaitableConcurrentFuture\n"
        "print(TensorData is tinker.TensorData is tinker.types.TensorData)\n"
        "print(issubclass(AwaitableConcurrentFuture, tinker.APIFuture))\n"
    )
    run = python("-m", "tinker_ext.as_tinker", str(script), path=[official])
    assert run.stdout == "True\nTrue\n"


def test_version_is_that_of_the_compared_release(script: Path, official: Path) -> None:
    script.write_text(
        "import importlib.metadata, tinker, tinker._version\n"
        "print(tinker.__version__, tinker._version.__version__, tinker.__title__)\n"
        "print(importlib.metadata.version('tinker'))\n"
        "print(importlib.metadata.version('attrs') != tinker.__version__)\n"
    )
    run = python("-m", "tinker_ext.as_tinker", str(script), path=[official])
    assert run.stdout == f"{RELEASE} {RELEASE} tinker\n{RELEASE}\nTrue\n"


def test_file_and_source_are_those_of_this_package(script: Path, official: Path) -> None:
    script.write_text(
        "import inspect, tinker, tinker_ext\n"
        "print(tinker.__file__ == tinker_ext.__file__)\n"
        "print(inspect.getsource(tinker) == inspect.getsource(tinker_ext))\n"
    )
    run = python("-m", "tinker_ext.as_tinker", str(script), path=[official])
    assert run.stdout == "True\nTrue\n"


def test_missing_name_raises_attribute_error_that_names_the_document(script: Path) -> None:
    script.write_text("import tinker\ntinker.no_such_name\n")
    run = python("-m", "tinker_ext.as_tinker", str(script), code=1)
    assert "module 'tinker' has no attribute 'no_such_name' in tinker_ext" in run.stderr
    assert "docs/from-the-official-sdk.md" in run.stderr


def test_star_import_and_dir_have_the_public_names(script: Path) -> None:
    script.write_text(
        "from tinker import *\n"
        "import tinker.types as types\n"
        "print(ServiceClient.__name__, 'Datum' in dir(types), types.__all__[:1])\n"
    )
    run = python("-m", "tinker_ext.as_tinker", str(script))
    assert run.stdout == "ServiceClient True ['AccessibleSearchOwner']\n"


def test_replaced_name_is_seen_by_the_program(script: Path) -> None:
    """As `unittest.mock.patch("tinker.ServiceClient")` in the tests of a program."""
    script.write_text(
        "from unittest import mock\n"
        "import tinker\n"
        "with mock.patch('tinker.ServiceClient') as fake:\n"
        "    assert tinker.ServiceClient is fake\n"
        "print(tinker.ServiceClient.__module__)\n"
    )
    run = python("-m", "tinker_ext.as_tinker", str(script))
    assert run.stdout == "tinker_ext.clients.service\n"


def test_official_commands_run_as_module(script: Path) -> None:
    run = python("-m", "tinker_ext.as_tinker", "-m", "tinker.cli", "--help")
    assert "Manage training runs, checkpoints and sessions" in run.stdout


def test_install_after_the_official_package_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tinker", type(sys)("tinker"))
    with pytest.raises(RuntimeError, match="call install\\(\\) before the first import of tinker"):
        install()
    assert not any(isinstance(item, finder.AliasFinder) for item in sys.meta_path)


def test_install_twice_adds_one_finder(script: Path) -> None:
    script.write_text(
        "import sys, tinker_ext.as_tinker as alias\n"
        "alias.install()\n"
        "print(sum(type(item).__name__ == 'AliasFinder' for item in sys.meta_path))\n"
    )
    assert python("-m", "tinker_ext.as_tinker", str(script)).stdout == "1\n"


def test_finder_leaves_other_packages_alone() -> None:
    spec = finder.AliasFinder().find_spec("tinkering", None)
    assert spec is None


def test_installed_command_of_the_official_package_runs_this_package(script: Path) -> None:
    """Its console script imports `cli`; the environment variable selects this package."""
    script.write_text(
        "import sys\n"
        "from tinker.cli.__main__ import cli\n"
        "sys.argv = ['tinker', '--help']\n"
        "sys.exit(cli())\n"
    )
    run = python("-m", "tinker_ext.as_tinker", str(script))
    assert "Manage training runs, checkpoints and sessions" in run.stdout


@pytest.mark.skipif(os.name != "posix", reason="the command is a shell script")
def test_program_runs_the_command_tinker_of_this_package(script: Path, tmp_path: Path) -> None:
    """Also if another command of that name comes first on the path."""
    other = tmp_path / "bin" / "tinker"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho other\n")
    other.chmod(0o755)
    script.write_text(
        "import os, subprocess, sys\n"
        "subprocess.run(['tinker', '--version'], check=True)\n"
        "sys.exit(subprocess.run(['tinker', 'no-such-command']).returncode)\n"
    )
    run = python("-m", "tinker_ext.as_tinker", str(script), code=2, commands=other.parent)
    assert run.stdout == f"tinker-ext {__version__}\n"
    assert "no-such-command" in run.stderr
