"""The bindings are reproducible byte for byte; `make check` compares the specification."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from codegen.emit.compare import differences
from codegen.paths import GENERATED, PACKAGE_NAME

GENERATE = """
import sys
from pathlib import Path
from codegen.emit.bindings import generate_package
generate_package(Path(sys.argv[1]))
"""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_bindings_are_up_to_date_and_reproducible(tmp_path: Path) -> None:
    """With another hash seed, and a conflicting formatter configuration in a parent folder."""
    (tmp_path / "ruff.toml").write_text("line-length = 40\n[format]\nquote-style = 'single'\n")
    target = tmp_path / "out"
    target.mkdir()
    done = run(
        sys.executable, "-c", GENERATE, str(target), PYTHONHASHSEED="7", TMPDIR=str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    assert differences(target / PACKAGE_NAME, GENERATED / PACKAGE_NAME) == []


def test_every_generated_file_has_the_header() -> None:
    for module in (GENERATED / PACKAGE_NAME).rglob("*.py"):
        first = module.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("# Do not edit. Made by `make generate`"), module


def test_differences_between_folders_are_reported(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(GENERATED / PACKAGE_NAME, copy)
    (copy / "errors.py").write_text("changed = 1\n")
    (copy / "types.py").unlink()
    (copy / "stray.py").write_text("")
    result = "\n".join(differences(GENERATED / PACKAGE_NAME, copy))
    assert "errors.py (kept)" in result
    assert "types.py: is missing" in result
    assert "stray.py: is no longer generated" in result
