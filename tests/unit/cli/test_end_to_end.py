"""The commands with an embedded backend that has one training run."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

import tinker_ext as tinker
from tests.unit.cli.running import as_json
from tinker_ext.cli.main import program
from tinker_ext.embedded.launch import start_embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., Result]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with start_embedded(tmp_path_factory.mktemp("state")) as server:
        yield server.url


@pytest.fixture(scope="module")
def path(url: str) -> str:
    """The path of a checkpoint on the server."""
    with tinker.ServiceClient(base_url=url, api_key="tml-any") as service:
        training = service.create_lora_training_client("embedded/tiny", rank=4)
        return training.save_state("first").result().path


@pytest.fixture
def run(url: str, path: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("TINKER_BASE_URL", url)
    monkeypatch.setenv("TINKER_API_KEY", "tml-any")
    return lambda *args: CliRunner().invoke(program, args)


def test_run_list_and_info(run: Run, path: str) -> None:
    (listed,) = as_json(run("run", "list", "-f", "json"))["runs"]
    assert path.startswith(f"tinker://{listed['training_run_id']}/")
    shown = as_json(run("run", "info", listed["training_run_id"], "-f", "json"))
    assert shown == listed
    assert (shown["base_model"], shown["lora_rank"]) == ("embedded/tiny", 4)


def test_checkpoint_list_download_publish_and_unpublish(
    run: Run, path: str, tmp_path: Path
) -> None:
    (listed,) = as_json(run("checkpoint", "list", "-f", "json"))["checkpoints"]
    assert listed["tinker_path"] == path
    saved = as_json(run("checkpoint", "download", path, "-o", str(tmp_path), "-f", "json"))
    with tarfile.open(saved["file"]) as archive:
        assert "adapter_model.safetensors" in archive.getnames()
    again = ("--force", "--extract", "-f", "json")
    unpacked = as_json(run("checkpoint", "download", path, "-o", str(tmp_path), *again))
    assert (Path(unpacked["folder"]) / "adapter_model.safetensors").stat().st_size > 0
    run("checkpoint", "publish", path)
    assert as_json(run("checkpoint", "info", path, "-f", "json"))["public"] is True
    run("checkpoint", "unpublish", path)
    assert as_json(run("checkpoint", "info", path, "-f", "json"))["public"] is False


def test_deleted_checkpoint_no_longer_exists(run: Run, url: str, path: str) -> None:
    with tinker.ServiceClient(base_url=url, api_key="tml-any") as service:
        training = service.create_training_client_from_state(path)
        second = training.save_state("second").result().path
    assert run("checkpoint", "delete", second, "--yes").exit_code == 0
    missing = run("checkpoint", "info", second)
    assert missing.exit_code == 1
    assert "checkpoint list" in missing.stderr


def test_set_ttl_and_delete_by_run(run: Run, url: str) -> None:
    with tinker.ServiceClient(base_url=url, api_key="tml-any") as service:
        training = service.create_lora_training_client("embedded/tiny", rank=4)
        saved = [training.save_state(name).result().path for name in ("a", "b")]
        sampled = training.save_weights_for_sampler("a").result().path
    assert run("checkpoint", "set-ttl", saved[0], "--ttl", "3600").exit_code == 0
    assert as_json(run("checkpoint", "info", saved[0], "-f", "json"))["expires_at"] is not None
    assert run("checkpoint", "set-ttl", saved[0], "--remove").exit_code == 0
    assert as_json(run("checkpoint", "info", saved[0], "-f", "json"))["expires_at"] is None
    of_run = ("--run-id", saved[0].split("/")[2])
    deleted = as_json(run("checkpoint", "delete", *of_run, "--type", "weights", "-y", "-f", "json"))
    assert sorted(deleted["deleted"]) == saved
    remaining = as_json(run("checkpoint", "list", *of_run, "-f", "json"))["checkpoints"]
    assert [item["tinker_path"] for item in remaining] == [sampled]


def test_session_and_model_commands(run: Run, path: str) -> None:
    sessions = as_json(run("session", "list", "-f", "json"))["sessions"]
    details = [as_json(run("session", "info", session, "-f", "json")) for session in sessions]
    assert path.split("/")[2] in {run_id for item in details for run_id in item["training_run_ids"]}
    (model,) = as_json(run("model", "list", "tiny", "-f", "json"))["models"]
    assert model["model_name"] == "embedded/tiny"


def test_doctor(run: Run) -> None:
    checks = as_json(run("doctor", "-f", "json"))["checks"]
    assert [check["ok"] for check in checks] == [True] * 4
    assert checks[1]["found"].startswith("release 0.38.0, training data as protobuf")
    assert "embedded/tiny" in checks[0]["found"]


def test_missing_run_is_one_line_error(run: Run) -> None:
    result = run("run", "info", "no-such-run")
    assert result.exit_code == 1
    assert "404" in result.stderr
    assert result.stderr.count("\n") == 1


def test_unreachable_server_fails_quickly(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("--base-url", "http://127.0.0.1:9", "doctor")
    assert result.exit_code == 1
    assert "Error: the check `Server` failed: " in result.stderr
    assert result.stderr.count("\n") == 1


def test_whoami_names_the_organization_of_the_embedded_backend(run: Run) -> None:
    assert as_json(run("auth", "whoami", "-f", "json"))["org_urn"] == "tml:organization:local"
