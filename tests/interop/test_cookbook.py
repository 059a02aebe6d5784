"""Part of tinker-cookbook's unit tests, without torch; `make cookbook` runs all of them.

Also the recorded modules of the official SDKs, which the table of the import alias covers.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from conformance.cookbook.installation import SOURCES, VERSIONS, download
from conformance.cookbook.unit_tests import variables
from conformance.interop.official_modules import modules_of_wheels, recorded_modules

if TYPE_CHECKING:
    from pathlib import Path

# The first run downloads the source distribution.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

#: Uses REST clients, training clients and futures, and needs neither torch nor a model.
TESTS = "tinker_cookbook/checkpoint_utils_test.py"
#: What these tests import beside this package's requirements; it has no requirements of its own
#: that are missing.
EXTRA = ("chz==0.4.0", "termcolor==3.3.0")


@pytest.fixture(scope="module")
def packages() -> Path:
    """A folder with the packages that only the cookbook needs."""
    folder = SOURCES / "packages"
    if not folder.is_dir():
        options = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-deps")
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder)]
        subprocess.run([*command, *EXTRA], check=True)
    return folder


def test_checkpoint_utilities_of_the_cookbook_pass_their_tests(
    packages: Path, tmp_path: Path
) -> None:
    source, passed = download(VERSIONS[0]), tmp_path / "passed"
    settings = variables(alias=True, COOKBOOK_PASSED=str(passed))
    settings["PYTHONPATH"] += f":{packages}"
    run = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import tinker_ext.as_tinker, pytest, sys; tinker_ext.as_tinker.install(); "
            "sys.exit(pytest.main(sys.argv[1:]))",
            *(TESTS, "-q", "--tb=short", "-p", "no:cacheprovider"),
            *("-p", "conformance.cookbook.pytest_plugin"),
            *("-o", "asyncio_default_fixture_loop_scope=function"),
        ],
        cwd=source,
        env=settings,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
    assert len(passed.read_text(encoding="utf-8").splitlines()) == 38


def test_recorded_modules_match_the_wheels() -> None:
    """`make names` writes them."""
    assert recorded_modules() == modules_of_wheels()
