"""Checkpoints as adapters, as merged models, and on a hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import load_file

import tinker_ext as tinker
from tests.unit.cli.hub import TOKEN, Hub, running_hub
from tests.unit.cli.running import as_json
from tinker_ext.cli.commands.checkpoint_export import safe_name
from tinker_ext.cli.main import program
from tinker_ext.embedded.engine.lora import LORA_ALPHA, name_a, name_b
from tinker_ext.embedded.engine.model import load_base_model
from tinker_ext.embedded.launch import start_embedded
from tinker_ext.install_hints import install_hint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RANK = 4
ADAPTER = {"adapter_config.json", "adapter_model.safetensors"}
TOKENIZER = {"chat_template.jinja", "tokenizer.json", "tokenizer_config.json"}
MODEL = {"config.json", "model.safetensors", *TOKENIZER}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with start_embedded(tmp_path_factory.mktemp("state")) as server:
        yield server.url


@pytest.fixture(scope="module")
def paths(url: str) -> dict[str, str]:
    """The paths of a training state and of external weights, of a trained model."""
    with tinker.ServiceClient(base_url=url, api_key="tml-any") as service:
        training = service.create_lora_training_client("embedded/tiny", rank=RANK, seed=1)
        datum = tinker.Datum(tinker.ModelInput.from_ints([1, 2]), {"target_tokens": [2, 3]})
        training.forward_backward([datum], "cross_entropy").result()
        training.optim_step(tinker.AdamParams(learning_rate=0.1)).result()
        return {
            "weights": training.save_state("first").result().path,
            "external": training.save_weights_external("first").result().path,
        }


def run(url: str, *args: str) -> Result:
    return CliRunner(env={"TINKER_API_KEY": "tml-any"}).invoke(
        program, ["--base-url", url, "checkpoint", *args]
    )


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


@pytest.mark.parametrize("kind", ["weights", "external"])
def test_export_contains_adapter_and_embedded_base_model(
    url: str, paths: dict[str, str], tmp_path: Path, kind: str
) -> None:
    target = tmp_path / "new" / "model"
    record = as_json(run(url, "export", paths[kind], "-o", str(target), "-f", "json"))
    assert record["folder"] == str(target)
    assert names(target) == {*ADAPTER, *TOKENIZER, "base_model"}, "and no optimizer state"
    assert names(target / "base_model") == MODEL
    config = json.loads((target / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(target / "base_model")
    assert (config["r"], config["lora_alpha"]) == (RANK, LORA_ALPHA)
    base = json.loads((target / "base_model" / "config.json").read_text())
    assert (base["model_type"], base["vocab_size"]) == ("llama", 258)
    assert names(tmp_path / "new") == {"model"}


def test_transformers_reads_the_configuration_and_tokenizer_of_an_export(
    url: str, paths: dict[str, str], tmp_path: Path
) -> None:
    from transformers import AutoConfig, AutoTokenizer

    assert run(url, "export", paths["external"], "-o", str(tmp_path / "m")).exit_code == 0
    config: Any = AutoConfig.from_pretrained(tmp_path / "m" / "base_model")
    assert type(config).__name__ == "LlamaConfig"
    assert AutoTokenizer.from_pretrained(tmp_path / "m").decode([72, 105]) == "Hi"


def test_merged_weights_are_those_of_the_adapted_model(
    url: str, paths: dict[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "merged"
    assert run(url, "merge", paths["weights"], "-o", str(target)).exit_code == 0
    assert names(target) == MODEL
    assert run(url, "export", paths["weights"], "-o", str(tmp_path / "m")).exit_code == 0
    adapter = load_file(tmp_path / "m" / "adapter_model.safetensors")
    merged, base = load_file(target / "model.safetensors"), load_base_model("embedded/tiny")
    assert merged.keys() == base.weights.keys()
    for module in base.shape.matrices():
        a, b = adapter[name_a(module)], adapter[name_b(module)]
        expected = base.weights[f"{module}.weight"] + LORA_ALPHA / RANK * b @ a
        np.testing.assert_allclose(merged[f"{module}.weight"], expected, rtol=1e-5, atol=1e-6)
        assert np.abs(b).max() > 0


def test_existing_folder_is_only_replaced_with_force(
    url: str, paths: dict[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "m"
    target.mkdir()
    (target / "mine").write_text("x")
    result = run(url, "merge", paths["weights"], "-o", str(target))
    assert result.exit_code == 1
    assert "already exists; pass --force" in result.stderr
    assert names(target) == {"mine"}
    assert run(url, "merge", paths["weights"], "-o", str(target), "--force").exit_code == 0
    assert names(target) == MODEL


def test_merge_with_another_base_model_names_missing_packages(
    url: str, paths: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinker_ext.cli.commands.checkpoint_export.find_spec", lambda name: None)
    target = tmp_path / "m"
    result = run(url, "merge", paths["weights"], "-o", str(target), "--base-model", "some/model")
    assert result.exit_code == 1
    assert install_hint("merge") in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


def push(
    url: str, hub: Hub, tmp_path: Path, *args: str, token: str | None = TOKEN
) -> subprocess.CompletedProcess[str]:
    """Run push-hf in a process, because huggingface_hub reads its variables when imported."""
    environment = {
        **os.environ,
        "TINKER_API_KEY": "tml-any",
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    environment.pop("HF_TOKEN", None)
    if token is not None:
        environment["HF_TOKEN"] = token
    command = [sys.executable, "-m", "tinker_ext", "--base-url", url, "-f", "json", "checkpoint"]
    done = subprocess.run(
        [*command, "push-hf", *args],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert TOKEN not in done.stdout + done.stderr
    return done


def test_push_hf_uploads_the_adapter_with_a_model_card(
    url: str, paths: dict[str, str], hub: Hub, tmp_path: Path
) -> None:
    done = push(url, hub, tmp_path, paths["weights"], "--repo", "me/adapter")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["repo_id"], record["revision"]) == ("me/adapter", None)
    assert hub.private == {"me/adapter": True}
    files = hub.files["me/adapter", "main"]
    assert files.keys() == {*ADAPTER, "README.md"}, "the optimizer's state is not uploaded"
    assert list(hub.large.values()) == [files["adapter_model.safetensors"]]
    card = files["README.md"].decode()
    for text in (
        "base_model: embedded/tiny",
        "library_name: peft",
        f"tinker_path: {paths['weights']}",
        'AutoPeftModelForCausalLM.from_pretrained("me/adapter")',
        f"- LoRA alpha: {LORA_ALPHA}",
    ):
        assert text in card
    assert hub.commits[0]["summary"] == f"Upload {paths['weights']}"

    again = push(url, hub, tmp_path, paths["weights"], "--repo", "me/adapter")
    assert again.returncode == 0, again.stderr
    other = push(url, hub, tmp_path, paths["external"], "--repo", "me/adapter")
    assert other.returncode == 1
    assert "holds another checkpoint" in json.loads(other.stderr)["error"]["message"]


def test_push_hf_derives_repository_and_branch(
    url: str, paths: dict[str, str], hub: Hub, tmp_path: Path
) -> None:
    done = push(
        url, hub, tmp_path, paths["external"], "--public", "--no-model-card",
        "--commit-message", "mine", "--ignore-pattern", "*.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    run_id = paths["external"].removeprefix("tinker://").partition("/")[0]
    assert record["repo_id"] == f"me/tinker-tiny-{run_id.replace(':', '-')}"
    assert record["revision"] == "external_weights-first"
    assert hub.private == {record["repo_id"]: False}
    branch = hub.files[record["repo_id"], record["revision"]]
    assert branch.keys() == {"adapter_model.safetensors"}
    assert hub.files[record["repo_id"], "main"] == {}
    assert hub.commits[0]["summary"] == "mine"


def test_push_hf_opens_a_pull_request(
    url: str, paths: dict[str, str], hub: Hub, tmp_path: Path
) -> None:
    done = push(url, hub, tmp_path, paths["external"], "--repo", "me/a", "--create-pr")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pull_request"] == f"{hub.url}/me/a/discussions/1"
    assert (hub.pull_requests, hub.files["me/a", "main"]) == (1, {})


def test_push_hf_without_accepted_token_names_the_login(
    url: str, paths: dict[str, str], hub: Hub, tmp_path: Path
) -> None:
    for token in (None, TOKEN):
        hub.rejects_token = token is not None
        done = push(url, hub, tmp_path, paths["external"], "--repo", "me/a", token=token)
        assert done.returncode == 1
        assert "hf auth login" in json.loads(done.stderr)["error"]["message"]
    assert hub.files == {}


@pytest.mark.parametrize(
    ("text", "name"),
    [("a/b:c", "a-b-c"), ("--a..b--c-", "a.b-c"), ("ä", ""), ("x" * 120, "x" * 96)],
)
def test_names_on_the_hub_have_allowed_characters(text: str, name: str) -> None:
    assert safe_name(text) == name
