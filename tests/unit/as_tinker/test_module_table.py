"""The table of the official SDK's modules is complete, and its aliases have the official names.

`tests/official_names/modules.json` records the modules of the wheels; `make names` writes it, and
`make interop` compares it with the wheels.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from conformance.interop.environments import ROOT
from conformance.interop.official_modules import recorded_modules
from tinker_ext.as_tinker.module_table import ABSENT, MAPPED, NAMESPACES

DOCUMENT = ROOT / "docs" / "from-the-official-sdk.md"

#: Imports every mapped module and reports the names that it lacks, the names whose object is not
#: that of this package, and the files that were loaded more than once.
SURVEY = """
import collections, importlib, json, sys
from conformance.interop.official_modules import recorded_modules
from tinker_ext.as_tinker.module_table import MAPPED
import tinker, tinker_ext, tinker_ext.types
lacking, copies = {}, []
for module, names in recorded_modules().items():
    if module not in MAPPED or module.endswith("__main__"):
        continue
    alias = importlib.import_module(module)
    absent = [name for name in names if not hasattr(alias, name)]
    if absent:
        lacking[module] = absent
    for name in set(names) - set(absent):
        for own in (tinker_ext, tinker_ext.types):
            if name in own.__all__ and getattr(own, name) is not getattr(alias, name):
                copies.append(f"{module}.{name}")
files = collections.Counter(
    getattr(module, "__file__", None)
    for name, module in list(sys.modules.items())
    if name != "tinker"  # It has the file of `tinker_ext`, and no code of its own.
)
repeated = [file for file, count in files.items() if count > 1 and "tinker" in str(file)]
print(json.dumps({"lacking": lacking, "copies": copies, "repeated": repeated}))
"""


def run_as_tinker(code: str, **variables: str) -> str:
    """Run code in a process that has the alias, and return its output."""
    program = f"import tinker_ext.as_tinker\ntinker_ext.as_tinker.install()\n{code}"
    process = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **variables},
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@cache
def survey() -> dict[str, Any]:
    report: dict[str, Any] = json.loads(run_as_tinker(SURVEY))
    return report


def documented_missing_names() -> set[str]:
    """The names in the documentation's table of missing names."""
    section = DOCUMENT.read_text(encoding="utf-8").partition("## Missing names")[2]
    return {name for code in re.findall(r"`([^`]+)`", section) for name in re.findall(r"\w+", code)}


def test_table_has_every_module_once() -> None:
    assert set(MAPPED) | set(ABSENT) == set(recorded_modules())
    assert set(MAPPED) & set(ABSENT) == set()
    assert NAMESPACES & (set(MAPPED) | set(ABSENT)) == set()


def test_mapped_modules_have_the_official_names_or_document_their_absence() -> None:
    documented = documented_missing_names()
    undocumented = {
        module: missing
        for module, names in survey()["lacking"].items()
        if (missing := [name for name in names if name not in documented])
    }
    assert undocumented == {}


def test_no_object_and_no_module_exists_twice() -> None:
    assert survey()["copies"] == []
    assert survey()["repeated"] == []


def test_every_absent_module_has_a_reason() -> None:
    assert all(len(reason) > 20 for reason in ABSENT.values())


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("tinker._base_client", "HTTP client"),
        ("tinker.types.sample_request", "generated bindings"),
        ("tinker.lib.telemetry_test", "tests of the official SDK"),
        ("tinker.no_such_module", "do not have it"),
    ],
)
def test_import_of_absent_module_raises_with_reason(module: str, reason: str) -> None:
    output = run_as_tinker(
        f"""
try:
    import {module}
except ModuleNotFoundError as error:
    print(error.name, error)
"""
    )
    assert output.startswith(f"{module} {module} is not available in tinker_ext: ")
    assert reason in output
