"""The cookbook's own unit tests, with the official SDK and with this client."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from conformance.interop.environments import ROOT
from tinker_ext.as_tinker import ENVIRONMENT_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conformance.cookbook.installation import Cookbook

#: Seconds for all tests of one package, of which many load models' tokenizers.
RUN_SECONDS = 3600.0
#: Seconds for one test.
TEST_SECONDS = 120

#: The folders with tests that need neither a key nor a download.
FOLDERS = ("tinker_cookbook", "tests/downstream_compat")

_INSTRUMENTED = "tinker_cookbook/utils/trace_test.py::test_sdk_client_instrumentation_covers"
#: Tests that pass with the official SDK only, and why.
KNOWN_DIFFERENCES: Mapping[str, str] = {
    f"{_INSTRUMENTED}_unified_methods": (  # Release 0.6.1 of the cookbook.
        "requires that every method of TrainingClient that returns a future is in a list of the "
        "cookbook; TrainingClient.unload, which release 0.38.0 does not have, is not in it"
    ),
    f"{_INSTRUMENTED}_all_async_methods": (  # Release 0.5.0 of the cookbook.
        "requires the same of coroutine functions; TrainingClient.unload_async is not in the list"
    ),
}


@frozen
class Comparison:
    """The tests that pass with the official SDK, and those of them that pass with this client."""

    official: frozenset[str]
    ours: frozenset[str]

    @property
    def only_official(self) -> list[str]:
        """The tests that pass with the official SDK only."""
        return sorted(self.official - self.ours)

    @property
    def unexplained(self) -> list[str]:
        """Those that are not a known difference."""
        return [test for test in self.only_official if test not in KNOWN_DIFFERENCES]


def compare(cookbook: Cookbook) -> Comparison:
    """Run all tests with the official SDK, then those that pass with this client.

    Tests that fail with this client are run once more: some wait for other processes, and fail if
    the machine is busy.
    """
    official = passing(cookbook, alias=False)
    ours = passing(cookbook, alias=True, only=official)
    if failed := official - ours - KNOWN_DIFFERENCES.keys():
        ours |= passing(cookbook, alias=True, only=failed)
    return Comparison(official, ours)


def passing(
    cookbook: Cookbook, *, alias: bool, only: Iterable[str] | None = None
) -> frozenset[str]:
    """The ids of the tests that pass; `alias` runs them with this client."""
    return frozenset().union(*(_passing(cookbook, folder, alias, only) for folder in FOLDERS))


def _passing(
    cookbook: Cookbook, folder: str, alias: bool, only: Iterable[str] | None
) -> frozenset[str]:
    with tempfile.TemporaryDirectory() as scratch:
        passed, selection = Path(scratch, "passed"), Path(scratch, "selection")
        passed.touch()
        settings = {"COOKBOOK_PASSED": str(passed)}
        if only is not None:
            ids = [test for test in only if test.startswith(f"{folder}/")]
            if not ids:
                return frozenset()
            selection.write_text("\n".join(ids), encoding="utf-8")
            settings["COOKBOOK_TESTS"] = str(selection)
        subprocess.run(
            [
                *(str(cookbook.python), "-m", "pytest", folder, "-q", "--tb=no"),
                *("-p", "conformance.cookbook.pytest_plugin", "-p", "no:cacheprovider"),
                *("--continue-on-collection-errors", f"--timeout={TEST_SECONDS}"),
                *("-o", "asyncio_default_fixture_loop_scope=function"),
            ],
            cwd=cookbook.source,
            env=variables(alias=alias, **settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=RUN_SECONDS,
        )
        return frozenset(passed.read_text(encoding="utf-8").splitlines())


def variables(*, alias: bool, **settings: str) -> dict[str, str]:
    """The environment of a program: no key and no downloads; `alias` selects this client."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("TINKER", "PYTEST"))}
    return {
        **inherited,
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TINKER_TELEMETRY": "0",
        **({ENVIRONMENT_VARIABLE: "1"} if alias else {}),
        **settings,
    }
