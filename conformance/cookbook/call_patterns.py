"""How public programs call the SDK, retyped as small programs that run with either SDK.

The patterns are in the folder `patterns`: training and sampling loops, losses of a program's own,
management of checkpoints, tests with fakes and mocks. `make cookbook` runs all of them with the
official SDK and with this client; the tests of this package run those that need no torch.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.cookbook.unit_tests import variables
from conformance.interop.environments import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).with_name("patterns")
#: Each module of patterns; those of `custom_losses` need torch.
MODULES = ("training", "custom_losses", "sampling", "management", "interfaces")
# All of them take a quarter of a minute on a free machine.
RUN_SECONDS = 1800.0

#: Patterns that raise an error with this client: its beginning, and the way to do the same.
KNOWN_DIFFERENCES: Mapping[str, tuple[str, str]] = {
    "unload_through_the_holder": (
        "NotImplementedError: holder.aclient is the HTTP client of the official SDK",
        "TrainingClient.unload, RestClient, or the generated bindings tinker_api",
    ),
    "requests_built_by_hand": (
        "ModuleNotFoundError: tinker.types.unload_model_request is not available in tinker_ext",
        "the generated bindings tinker_api have the types of requests",
    ),
}


def names(*modules: str) -> list[str]:
    """The patterns of these modules: functions without parameters that have a docstring."""
    trees = [ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8")) for name in modules]
    return [
        node.name
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node) is not None
        and not node.args.args
    ]


def run_patterns(python: Path | str, url: str, *modules: str, alias: bool) -> dict[str, str | None]:
    """Run the patterns of these modules in one process; returns each one's error, None if it holds.

    `python` is the interpreter and `url` the server. Patterns are missing if the process failed.
    """
    command = [str(python), *(("-m", "tinker_ext.as_tinker") if alias else ())]
    settings = {
        "TINKER_BASE_URL": url,
        "TINKER_API_KEY": "tml-any",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        # As in an active environment: the commands of the SDK are found.
        "PATH": os.pathsep.join((str(Path(python).parent), os.environ["PATH"])),
    }
    process = subprocess.run(
        [*command, str(FOLDER / "run.py"), *modules],
        env=variables(alias=False, NO_PROXY="*", **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
        timeout=RUN_SECONDS,
    )
    rows = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]
    return {row["pattern"]: row["error"] for row in rows}
