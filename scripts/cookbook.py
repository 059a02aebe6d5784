"""Run tinker-cookbook with the official SDK and with this client: `cookbook.py [VERSION]`.

Runs its unit tests and its training loops, the latter on the embedded backend, and prints which of
them work with the official SDK only. Installs the cookbook and torch into an environment of its
own (2 GB). Exits with 1 if a test that passes with the official SDK fails with this client without
a known reason, or a training loop runs with the official SDK only. `--recipes` runs the training
loops only, `--tests` the unit tests only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.cookbook.installation import VERSIONS, install
from conformance.cookbook.training_runs import RECIPES, run_recipe
from conformance.cookbook.unit_tests import KNOWN_DIFFERENCES, compare
from tinker_ext.embedded.launch import start_embedded

if TYPE_CHECKING:
    from conformance.cookbook.installation import Cookbook


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("version", nargs="?", default=VERSIONS[0])
    parser.add_argument("--tests", action="store_true", help="run the unit tests only")
    parser.add_argument("--recipes", action="store_true", help="run the training loops only")
    arguments = parser.parse_args()
    cookbook = install(arguments.version)
    print(f"tinker-cookbook {cookbook.version}", flush=True)
    failed = False
    if not arguments.tests:
        failed |= _run_recipes(cookbook)
    if not arguments.recipes:
        failed |= _run_tests(cookbook)
    return int(failed)


def _run_recipes(cookbook: Cookbook) -> bool:
    """Run the training loops; returns whether one of them runs with the official SDK only."""
    failed = False
    with tempfile.TemporaryDirectory() as folder, start_embedded() as server:
        for recipe in RECIPES:
            runs = {
                name: run_recipe(
                    cookbook, recipe, server.url, Path(folder, name, recipe), alias=alias
                )
                for name, alias in (("official", False), ("tinker-ext", True))
            }
            for name, run in runs.items():
                print(f"{recipe:13} {name:11} {run}", flush=True)
            failed |= runs["tinker-ext"].values is None and runs["official"].values is not None
    return failed


def _run_tests(cookbook: Cookbook) -> bool:
    """Compare the unit tests; returns whether one fails without a known reason."""
    comparison = compare(cookbook)
    print(f"unit tests    official    {len(comparison.official)} passed")
    print(f"unit tests    tinker-ext  {len(comparison.ours)} of them passed")
    for test in comparison.only_official:
        print(f"official only: {test}\n  {KNOWN_DIFFERENCES.get(test, 'no known reason')}")
    return bool(comparison.unexplained) or not comparison.official


if __name__ == "__main__":
    sys.exit(main())
