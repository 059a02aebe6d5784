"""Specification and bindings come out the same, byte for byte, wherever they are made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from codegen.commands import check_spec
from codegen.emit.compare import differences
from codegen.paths import GENERATED, PACKAGE_NAME

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

GENERATE = """
import sys
from pathlib import Path
from codegen.emit.bindings import generate_package
generate_package(Path(sys.argv[1]))
"""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_the_specifications_are_what_wheel_and_overlay_give(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check_spec.main() == 0, capsys.readouterr().err


def test_the_bindings_are_what_the_specification_gives(tmp_path: Path) -> None:
    """Under another hash seed, below a formatter configuration that means harm."""
    (tmp_path / "ruff.toml").write_text("line-length = 40\n[format]\nquote-style = 'single'\n")
    target = tmp_path / "out"
    target.mkdir()
    done = run(
        sys.executable, "-c", GENERATE, str(target), PYTHONHASHSEED="7", TMPDIR=str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    assert differences(target / PACKAGE_NAME, GENERATED / PACKAGE_NAME) == []


def test_every_generated_file_says_that_it_is() -> None:
    for module in (GENERATED / PACKAGE_NAME).rglob("*.py"):
        first = module.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("# Do not edit. Made by `make generate`"), module


def test_a_difference_is_found(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(GENERATED / PACKAGE_NAME, copy)
    (copy / "errors.py").write_text("changed = 1\n")
    (copy / "types.py").unlink()
    (copy / "stray.py").write_text("")
    found = "\n".join(differences(GENERATED / PACKAGE_NAME, copy))
    assert "errors.py (kept)" in found
    assert "types.py: is missing" in found
    assert "stray.py: is not made any more" in found
