"""The cookbook's training loops on the embedded backend, with both SDKs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from conformance.cookbook.unit_tests import variables

if TYPE_CHECKING:
    from conformance.cookbook.installation import Cookbook

DRIVER = Path(__file__).with_name("recipes.py")
#: The functions of the driver.
RECIPES = (
    "supervised",
    "resume",
    "resume_killed",
    "dpo",
    "rl_sync",
    "rl_stable",
    "rl_async",
    "rl_stream",
    "distillation",
    "completers",
)
# A recipe takes half a minute on a free machine, most of it to import torch and transformers.
RUN_SECONDS = 900.0


@frozen
class RecipeRun:
    """The values that a recipe printed, or the last line of its error."""

    values: list[float] | None
    error: str = ""

    def __str__(self) -> str:
        if self.values is None:
            return f"failed: {self.error}"
        return " ".join(f"{value:.3f}" for value in self.values)


def run_recipe(
    cookbook: Cookbook, recipe: str, url: str, folder: Path, *, alias: bool
) -> RecipeRun:
    """Run one recipe against the server at `url`; `folder` receives its log."""
    settings = variables(alias=alias, TINKER_BASE_URL=url, TINKER_API_KEY="tml-any", NO_PROXY="*")
    settings["PYTHONPATH"] += os.pathsep + str(cookbook.source)
    try:
        process = subprocess.run(
            [str(cookbook.python), str(DRIVER), recipe, str(folder)],
            env=settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return RecipeRun(None, f"no result in {RUN_SECONDS:.0f} s")
    if process.returncode == 0:
        return RecipeRun(json.loads(process.stdout.splitlines()[-1])["values"])
    lines = process.stderr.strip().splitlines() or ["no output"]
    return RecipeRun(None, lines[-1])
