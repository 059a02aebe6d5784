"""Run tinker-cookbook with the official SDK and with this client: `cookbook.py [VERSION]`.

Runs its unit tests and its training loops, the latter on the embedded backend, and prints which of
them work with the official SDK only; then the call patterns of other public programs. Installs the
cookbook and torch into an environment of its own (2 GB). Exits with 1 if something works with the
official SDK only and is not a known difference. `--recipes` runs the training loops only, `--tests`
the unit tests only, `--patterns` the call patterns only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.cookbook import call_patterns
from conformance.cookbook.installation import VERSIONS, install
from conformance.cookbook.training_runs import RECIPES, run_recipe
from conformance.cookbook.unit_tests import KNOWN_DIFFERENCES, compare
from tinker_ext.embedded.launch import start_embedded

if TYPE_CHECKING:
    from conformance.cookbook.installation import Cookbook


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("version", nargs="?", default=VERSIONS[0])
    for name, (title, _) in PARTS.items():
        parser.add_argument(
            f"--{name}",
            dest="only",
            action="append_const",
            const=name,
            help=f"run the {title} only",
        )
    arguments = parser.parse_args()
    cookbook = install(arguments.version)
    print(f"tinker-cookbook {cookbook.version}", flush=True)
    failed = [PARTS[name][1](cookbook) for name in arguments.only or PARTS]
    return int(any(failed))


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


def _run_patterns(cookbook: Cookbook) -> bool:
    """Run the call patterns; returns whether one fails without a known reason."""
    with start_embedded() as server:
        official, ours = (
            call_patterns.run_patterns(
                cookbook.python, server.url, *call_patterns.MODULES, alias=alias
            )
            for alias in (False, True)
        )
    names = call_patterns.names(*call_patterns.MODULES)
    for title, errors in (("official", official), ("tinker-ext", ours)):
        held = [name for name in names if errors.get(name, "not run") is None]
        print(f"call patterns {title:11} {len(held)} of {len(names)} hold")
    failed = False
    for name in names:
        error, known = ours.get(name, "not run"), call_patterns.KNOWN_DIFFERENCES.get(name)
        if error is not None:
            print(f"{name}: {error}\n  instead: {known[1] if known else 'no known reason'}")
            failed |= known is None
    return failed


PARTS = {
    "recipes": ("training loops", _run_recipes),
    "tests": ("unit tests", _run_tests),
    "patterns": ("call patterns", _run_patterns),
}


if __name__ == "__main__":
    sys.exit(main())
