"""The scripts and notebooks of `examples/` run on the embedded backend, with small sizes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import bare_environment

#: Programs that train take minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)
EXAMPLES = Path(__file__).parents[2] / "examples"
PNG = b"\x89PNG\r\n\x1a\n"


def run(name: str, folder: Path, *options: str, **variables: str) -> str:
    """What an example prints, run in `folder`; a warning is an error."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *options]
    environment = bare_environment() | {"MPLBACKEND": "Agg"} | variables
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_example_without_matplotlib_trains_and_names_the_command(tmp_path: Path) -> None:
    # A module that fails to be imported, in front of the real one.
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('no', name='matplotlib')")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    output = run("resume", tmp_path, "--steps=6", PYTHONPATH=path)
    assert len(numbers("loss", output)) == 6
    assert "No picture without matplotlib: pip install " in output
    assert "[plot]'" in output
    assert not (tmp_path / "resume.png").exists()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_matplotlib_imported_only_where_it_is_used(path: Path) -> None:
    assert not re.search(r"^(?:import|from) matplotlib", path.read_text(), re.MULTILINE)


def has_picture(folder: Path, name: str) -> bool:
    return (folder / f"{name}.png").read_bytes().startswith(PNG)


def numbers(label: str, output: str) -> list[float]:
    """The numbers that follow a label."""
    return [float(number) for number in re.findall(rf"{label} +(-?[\d.]+)", output)]


def test_supervised_stops_early_and_samples_from_best_weights(tmp_path: Path) -> None:
    output = run("supervised", tmp_path, "--steps", "12", "--early-stop", "1")
    [(first, best)] = re.findall(r"Validation loss: ([\d.]+) -> ([\d.]+)", output)
    assert float(best) < float(first)
    assert "sampler_weights/step-" in output
    assert "Today I jump, yesterday I" in output
    assert has_picture(tmp_path, "supervised")


def test_policy_gradient_prints_rewards(tmp_path: Path) -> None:
    rewards = numbers("reward", run("policy_gradient", tmp_path, "--steps=3", "--group-size=4"))
    assert len(rewards) == 3
    assert all(0 <= reward <= 1 for reward in rewards)
    assert has_picture(tmp_path, "policy_gradient")


def test_dpo_lowers_loss_and_widens_margin(tmp_path: Path) -> None:
    output = run("dpo", tmp_path, "--steps", "4")
    losses, margins = numbers("loss", output), numbers("margin", output)
    assert losses[0] == pytest.approx(0.693, abs=1e-3)
    assert losses[-1] < losses[0]
    assert margins[-1] > margins[0]
    assert has_picture(tmp_path, "dpo")


def test_custom_loss_lowers_cross_entropy(tmp_path: Path) -> None:
    output = run("custom_loss", tmp_path, "--steps", "4")
    ranges = re.findall(r"cross-entropy ([\d.]+) -> ([\d.]+)", output)
    assert len(ranges) == 2
    assert all(float(last) < float(first) for first, last in ranges)
    assert has_picture(tmp_path, "custom_loss")


def test_distillation_lowers_divergence(tmp_path: Path) -> None:
    divergences = numbers("per token", run("distillation", tmp_path, "--steps", "4"))
    assert divergences[-1] < divergences[0]
    assert has_picture(tmp_path, "distillation")


def test_sweep_stores_results_and_samples_only_missing_ones_again(tmp_path: Path) -> None:
    assert "40 completions, 0 failed" in run("sweep", tmp_path, "--prompts", "40")
    results = tmp_path / "sweep.jsonl"
    stored = results.read_text(encoding="utf-8").splitlines()
    assert len(stored) == 41  # The first line has the model and the parameters.
    assert has_picture(tmp_path, "sweep")

    assert "50 completions, 0 failed" in run("sweep", tmp_path, "--prompts", "50")
    again = results.read_text(encoding="utf-8").splitlines()
    assert again[:41] == stored
    assert len(again) == 51


def test_resume_repeats_steps_after_last_checkpoint(tmp_path: Path) -> None:
    first = numbers("loss", run("resume", tmp_path, "--save-every=3", "--stop-after=4"))
    second = run("resume", tmp_path, "--save-every=3", "--steps=7")
    assert "at step 3" in second
    assert numbers("loss", second)[:2] == first[3:]
    assert len(numbers("loss", second)) == 4
    assert has_picture(tmp_path, "resume")


def test_evaluate_checkpoints_compares_all_weights(tmp_path: Path) -> None:
    output = run("evaluate_checkpoints", tmp_path, "--steps", "2")
    assert [name for name in ("base model", "step-2", "step-4", "step-6") if name in output] == [
        "base model",
        "step-2",
        "step-4",
        "step-6",
    ]
    assert has_picture(tmp_path, "evaluate_checkpoints")


def test_every_script_is_tested() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    # tests/spec/test_low_level.py runs the program without the client.
    assert {name for name in names if f'run("{name}"' not in source} == {"low_level"}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="`make examples` installs it")
    nbclient = pytest.importorskip("nbclient", reason="`make examples` installs it")
    monkeypatch.setenv("EXAMPLE_STEPS", "2")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=None, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert has_picture(tmp_path, path.stem)
