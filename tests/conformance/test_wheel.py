"""What a user installs: the wheel, in an environment that has never seen this repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
#: Seconds for building, for installing (it may have to download), and for training a little.
TIMEOUT = 600

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]


def python(executable: Path | str, *args: str, cwd: Path) -> str:
    """Run Python without this process's Python and Tinker settings; its output."""
    ours = ("COV", "PYTHON", "TINKER", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment = kept | {"HF_HUB_OFFLINE": "1"}
    command = [str(executable), "-I", *args]
    ran = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, f"{args}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


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
    """The interpreter of a fresh environment with nothing but the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    interpreter = folder / "bin" / "python"
    # This environment's pip installs into that one; byte code is left for those who import it.
    pip = ("-m", "pip", "--python", str(interpreter), "--disable-pip-version-check", "--quiet")
    pins = str(ROOT / "constraints.txt")
    wanted = f"tinker-ext[embedded] @ {wheel.as_uri()}"
    python(
        sys.executable, *pip, "install", "--no-compile", "--constraint", pins, wanted, cwd=folder
    )
    yield interpreter
    shutil.rmtree(folder)  # hundreds of megabytes that pytest would keep for three more runs


def test_the_wheel_holds_both_packages_and_their_data(wheel: Path) -> None:
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


def test_the_command_is_there(installed: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [installed.with_name("tinker-ext"), "version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("tinker-ext ")
