"""The wheel, installed in an environment without this repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Seconds to build, install (which may download packages) and train.
TIMEOUT = 600

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]


def python(executable: Path | str, *args: str, cwd: Path) -> str:
    """Run Python without this process's Python and Tinker settings; returns its output."""
    excluded = ("COV", "PYTHON", "TINKER", "VIRTUAL_ENV")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(excluded)}
    environment = inherited | {"HF_HUB_OFFLINE": "1"}
    command = [str(executable), "-I", *args]
    process = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, f"{args}\n{process.stdout}\n{process.stderr}"
    return process.stdout


def readme_scripts() -> list[str]:
    """The complete scripts of the README."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    return [block for block in blocks if "ServiceClient" in block]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    python(sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT), cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The interpreter of a new environment with the wheel and its dependencies only."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    interpreter = folder / "bin" / "python"
    # The pip of this environment installs into the new one, without compiling byte code.
    pip = ("-m", "pip", "--python", str(interpreter), "--disable-pip-version-check", "--quiet")
    pins = str(ROOT / "constraints.txt")
    requirement = f"tinker-ext[embedded] @ {wheel.as_uri()}"
    python(
        sys.executable,
        *pip,
        "install",
        "--no-compile",
        "--constraint",
        pins,
        requirement,
        cwd=folder,
    )
    yield interpreter
    shutil.rmtree(folder)  # hundreds of megabytes, which pytest would keep for three runs


def test_wheel_contains_both_packages_and_their_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "tinker_ext/py.typed",
        "tinker_ext/embedded/data/embedded-tiny.safetensors",
        "tinker_ext/embedded/data/tokenizer/tokenizer.json",
        "tinker_api/py.typed",
        "tinker_api/openapi.json",
    } <= names
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {
        "tinker_api",
        "tinker_ext",
        "tinker_ext_as_tinker.pth",
    }
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


@pytest.mark.parametrize(("index", "outputs"), [(0, ["loss"]), (1, ["loss", "SampleResponse"])])
def test_readme_script_runs_with_installed_wheel(
    installed: Path, tmp_path: Path, index: int, outputs: list[str]
) -> None:
    script = tmp_path / "script.py"
    script.write_text(readme_scripts()[index])
    output = python(installed, "-W", "error", str(script), cwd=tmp_path)
    assert all(text in output for text in outputs)


def test_command_is_installed(installed: Path, tmp_path: Path) -> None:
    process = subprocess.run(
        [installed.with_name("tinker-ext"), "version"], capture_output=True, text=True, check=True
    )
    assert process.stdout.startswith("tinker-ext ")


def test_import_alias_and_its_command_are_installed(installed: Path, tmp_path: Path) -> None:
    """The wheel has the `.pth` file, and keeps the command `tinker` executable."""
    script = tmp_path / "script.py"
    script.write_text(
        "import subprocess, sys, tinker\n"
        "code = 'import tinker; print(tinker.ServiceClient.__module__)'\n"
        "for command in (['tinker', '--version'], [sys.executable, '-c', code]):\n"
        "    print(subprocess.run(command, capture_output=True, text=True, check=True).stdout)\n"
    )
    output = python(installed, "-m", "tinker_ext.as_tinker", str(script), cwd=tmp_path)
    assert output.split()[0] == "tinker-ext"
    assert output.split()[-1] == "tinker_ext.clients.service"
