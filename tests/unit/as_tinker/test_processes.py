"""No class exists twice: in other processes, in pickles, after reloads, and for type checkers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api

from tinker_ext.as_tinker import ENVIRONMENT_VARIABLE
from tinker_ext.as_tinker.__main__ import main
from tinker_ext.as_tinker.module_table import MAPPED

WORK = """
import tinker
import tinker_ext
from tinker.types.datum import Datum

def same(datum):
    return [type(datum) is Datum is tinker.Datum is tinker_ext.Datum, tinker.__version__, datum]
"""
PROGRAM = """
import concurrent.futures
import multiprocessing
import sys

import tinker
from work import same

if __name__ == "__main__":
    prompt = tinker.ModelInput.from_ints([1, 2])
    datum = tinker.Datum(model_input=prompt, loss_fn_inputs={"target_tokens": [2, 3]})
    context = multiprocessing.get_context(sys.argv[1])
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        is_same, version, returned = pool.submit(same, datum).result()
    print(is_same, version, returned == datum, sys.argv[1:])
"""
EXIT_HANDLER = """
import atexit
import dataclasses
import pickle

import tinker

@dataclasses.dataclass
class Rollout:
    prompt: tinker.ModelInput

@atexit.register
def check():
    rollout = Rollout(tinker.ModelInput.from_ints([1]))
    print(pickle.loads(pickle.dumps(rollout)) == rollout)
"""
RELOADS = """
import importlib
import sys

import tinker
import tinker.types.datum
import tinker_ext

for name in ("tinker.types.datum", "tinker.types", "tinker"):
    module = importlib.reload(sys.modules[name])
    assert module is sys.modules[name]
    assert getattr(module, "Datum") is tinker_ext.Datum
for name in [name for name in sys.modules if name.partition(".")[0] == "tinker"]:
    del sys.modules[name]
from tinker.types.datum import Datum

assert Datum is tinker_ext.Datum
print("same")
"""
TESTS = """
import pickle

import tinker
import tinker_ext


def test_classes_are_those_of_tinker_ext():
    params = tinker.SamplingParams(max_tokens=3)
    assert type(pickle.loads(pickle.dumps(params))) is tinker_ext.SamplingParams
"""
TYPED = """
import tinker
from tinker.lib.public_interfaces.service_client import ServiceClient
from tinker.types.tensor_data import TensorData

tensor: tinker.TensorData = TensorData([1], "int64")
service: tinker.ServiceClient = ServiceClient()
version: str = tinker.__version__
datum: tinker.types.Datum = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in {"work.py": WORK, "program.py": PROGRAM, "test_typed.py": TESTS}.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def run(folder: Path, *arguments: str, **variables: str) -> str:
    """The output of Python with these arguments in the folder."""
    inherited = {k: v for k, v in os.environ.items() if k != ENVIRONMENT_VARIABLE}
    process = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**inherited, **variables},
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_worker_processes_have_the_same_classes(folder: Path, method: str) -> None:
    output = run(folder, "-m", "tinker_ext.as_tinker", "program.py", method, "--steps", "3")
    assert output == f"True 0.38.0 True {[method, '--steps', '3']}\n"


def test_classes_of_the_program_are_pickled_after_its_last_line(folder: Path) -> None:
    (folder / "rollouts.py").write_text(EXIT_HANDLER)
    assert run(folder, "-m", "tinker_ext.as_tinker", "rollouts.py") == "True\n"


def test_folder_with_a_main_module_runs(folder: Path) -> None:
    (folder / "program").mkdir()
    (folder / "program" / "__main__.py").write_text("import tinker, sys\nprint(sys.argv[1:])\n")
    assert run(folder, "-m", "tinker_ext.as_tinker", "program", "--steps") == "['--steps']\n"


def test_reloaded_modules_have_the_same_classes(folder: Path) -> None:
    (folder / "reloads.py").write_text(RELOADS)
    assert run(folder, "-m", "tinker_ext.as_tinker", "reloads.py") == "same\n"


def test_pytest_of_a_program_uses_this_package(folder: Path) -> None:
    arguments = ("pytest", "-q", "-p", "no:cacheprovider", "test_typed.py")
    assert "1 passed" in run(folder, "-m", "tinker_ext.as_tinker", "-m", *arguments)
    assert "1 passed" in run(folder, "-m", *arguments, **{ENVIRONMENT_VARIABLE: "1"})


def test_stubs_give_type_checkers_the_types_of_this_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--stubs", str(tmp_path / "typings")])
    assert capsys.readouterr().out == f"{tmp_path / 'typings' / 'tinker'}\n"
    program = tmp_path / "program.py"
    program.write_text(TYPED)
    monkeypatch.setenv("MYPYPATH", str(tmp_path / "typings"))
    output, errors, _ = api.run(["--no-error-summary", "--strict", str(program)])
    assert errors == ""
    [line] = output.splitlines()
    assert "program.py:9: error: Incompatible types in assignment" in line
    assert 'variable has type "Datum"' in line


def test_every_mapped_module_has_a_stub(tmp_path: Path) -> None:
    main(["--stubs", str(tmp_path)])
    stubs = {".".join(file.parent.relative_to(tmp_path).parts) for file in tmp_path.rglob("*.pyi")}
    assert {module for module in MAPPED if not module.endswith("__main__")} <= stubs
