"""The package as a whole: what it exports, imports, and promises in its examples."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

from tinker_ext import types

HEAVY = ("numpy", "torch", "transformers", "tinker_api", "httpx")


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_importing_the_types_imports_nothing_heavy() -> None:
    heavy = f"[name for name in {HEAVY!r} if name in sys.modules]"
    assert run(f"import sys, tinker_ext.types; print({heavy})") == "[]"


def test_lists_need_no_numpy_from_building_to_checking() -> None:
    code = (
        "import sys; from tinker_ext.types import *; "
        "d = Datum(model_input=ModelInput.from_ints([1]), loss_fn_inputs={'weights': [0.5]}); "
        "validate_data([d]); d.to_api().to_dict(); repr(d); print('numpy' in sys.modules, "
        "d.model_input == ModelInput.from_ints([2]), d.model_input.to_ints())"
    )
    assert run(code) == "False False [1]"


def test_what_lists_hold_is_checked_without_numpy_too() -> None:
    code = (
        "from tinker_ext.types import *; large, bad = [3e38] * 10, [1, -float('inf')]; "
        "print([TensorData(data).first_not_finite() for data in (large, bad)])"
    )
    assert run(code) == "[None, 1]"


def test_what_is_exported_is_sorted_out_and_exists() -> None:
    assert all(hasattr(types, name) for name in types.__all__)
    assert len(set(types.__all__)) == len(types.__all__)


@pytest.mark.parametrize("name", [result.name for result in pkgutil.iter_modules(types.__path__)])
def test_the_examples_are_true(name: str) -> None:
    module = importlib.import_module(f"tinker_ext.types.{name}")
    assert doctest.testmod(module).failed == 0
