"""The package: its exports, its imports and its docstring examples."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

from tinker_ext import types

MODULES = list(pkgutil.walk_packages(types.__path__, "tinker_ext.types."))
HEAVY = ("numpy", "torch", "transformers", "tinker_api", "httpx")


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return result.stdout.strip()


def test_import_loads_no_heavy_dependency() -> None:
    heavy = f"[name for name in {HEAVY!r} if name in sys.modules]"
    assert run(f"import sys, tinker_ext.types; print({heavy})") == "[]"


def test_lists_are_built_validated_and_encoded_without_numpy() -> None:
    code = (
        "import sys; from tinker_ext.types import *; "
        "d = Datum(model_input=ModelInput.from_ints([1]), loss_fn_inputs={'weights': [0.5]}); "
        "validate_data([d]); d.to_api().to_dict(); repr(d); print('numpy' in sys.modules, "
        "d.model_input == ModelInput.from_ints([2]), d.model_input.to_ints())"
    )
    assert run(code) == "False False [1]"


def test_finite_check_of_lists_without_numpy() -> None:
    code = (
        "from tinker_ext.types import *; large, bad = [3e38] * 10, [1, -float('inf')]; "
        "print([TensorData(data).first_not_finite() for data in (large, bad)])"
    )
    assert run(code) == "[None, 1]"


def test_exported_names_are_unique_and_exist() -> None:
    exports = vars(types)["__all__"]
    assert all(hasattr(types, name) for name in exports)
    assert len(set(exports)) == len(exports)


@pytest.mark.parametrize("name", [module.name for module in MODULES])
def test_docstring_examples(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0
