"""Clients of one process that share an embedded backend, and its end."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import tinker_ext as tinker
from tests.waiting import comes_true
from tinker_ext.clients.embedded import process_key, shared_backend

if TYPE_CHECKING:
    from pathlib import Path


def save(service: tinker.ServiceClient, name: str) -> str:
    training = service.create_lora_training_client("embedded/tiny", rank=1)
    return training.save_state(name).result().path


def paths(client: tinker.ServiceClient | tinker.RestClient) -> list[str]:
    rest = client.create_rest_client() if isinstance(client, tinker.ServiceClient) else client
    listed = rest.list_user_checkpoints().result().checkpoints
    return [checkpoint.tinker_path for checkpoint in listed]


def test_second_client_sees_the_checkpoints_of_the_first() -> None:
    with (
        tinker.ServiceClient(base_url="embedded") as first,
        tinker.ServiceClient(base_url="embedded") as second,
    ):
        path = save(first, "a")
        assert paths(second) == paths(tinker.RestClient(base_url="embedded")) == [path]
        resumed = second.create_training_client_from_state(path)
        assert resumed.get_info().lora_rank == 1


def test_two_clients_with_one_folder_work_at_once(tmp_path: Path) -> None:
    with (
        tinker.ServiceClient(base_url="embedded", embedded_dir=tmp_path) as first,
        tinker.ServiceClient(base_url="embedded", embedded_dir=tmp_path) as second,
    ):
        saved = [save(first, "a"), save(second, "b")]
        assert sorted(paths(first)) == sorted(paths(second)) == sorted(saved)


def test_folders_have_separate_backends(tmp_path: Path) -> None:
    with (
        tinker.ServiceClient(base_url="embedded", embedded_dir=tmp_path / "a") as first,
        tinker.ServiceClient(base_url="embedded", embedded_dir=tmp_path / "b") as second,
    ):
        save(first, "a")
        assert paths(second) == []


def test_backend_stops_with_its_last_client(tmp_path: Path) -> None:
    first = tinker.ServiceClient(base_url="embedded", embedded_dir=tmp_path)
    second = tinker.ServiceClient(base_url="embedded", embedded_dir=tmp_path)
    path = save(first, "a")
    first.close()
    assert paths(second) == [path]
    second.close()
    shared = shared_backend(tmp_path)
    assert comes_true(lambda: shared.server is None)
    with tinker.ServiceClient(base_url="embedded", embedded_dir=tmp_path) as third:
        assert paths(third) == [path]


def test_backend_stops_with_a_dropped_client(tmp_path: Path) -> None:
    service = tinker.ServiceClient(base_url="embedded", embedded_dir=tmp_path)
    service.get_server_capabilities()
    shared = shared_backend(tmp_path)
    assert shared.server is not None
    del service
    gc.collect()
    assert comes_true(lambda: shared.server is None)


def test_new_client_replaces_a_killed_backend(tmp_path: Path) -> None:
    with tinker.ServiceClient(base_url="embedded", embedded_dir=tmp_path) as first:
        path = save(first, "a")
        shared = shared_backend(tmp_path)
        killed = shared.server
        assert killed is not None
        os.kill(killed.pid, signal.SIGKILL)
        assert comes_true(lambda: killed.exited)
        with tinker.ServiceClient(base_url="embedded", embedded_dir=tmp_path) as second:
            assert paths(second) == [path]
            assert shared.server is not killed


def test_killed_backend_ends_calls_without_retries(tmp_path: Path) -> None:
    """Nothing listens on its port again, so the calls would fail after five minutes."""
    with tinker.ServiceClient(base_url="embedded", embedded_dir=tmp_path) as service:
        training = service.create_lora_training_client("embedded/tiny", rank=1)
        sampler = service.create_sampling_client(base_model="embedded/tiny")
        params = tinker.SamplingParams(max_tokens=1000)
        server = shared_backend(tmp_path).server
        assert server is not None
        os.kill(server.pid, signal.SIGSTOP)
        pending = sampler.sample(tinker.ModelInput.from_ints([1]), 1, params)
        os.kill(server.pid, signal.SIGKILL)
        step = training.optim_step(tinker.AdamParams())
        for future in (pending, step, service.create_rest_client().list_training_runs()):
            with pytest.raises(tinker.SessionLostError, match=r"ended with status -9 \(its log: "):
                future.result(60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_forked_process_uses_the_backend_and_leaves_it_running(tmp_path: Path) -> None:
    code = f"""
import os, sys, warnings
import tinker_ext as tinker
warnings.simplefilter("ignore")
folder = {str(tmp_path)!r}
with tinker.ServiceClient(base_url="embedded", embedded_dir=folder) as service:
    training = service.create_lora_training_client("embedded/tiny", rank=1)
    path = training.save_state("a").result().path
    child = os.fork()
    if child == 0:
        with tinker.ServiceClient(base_url="embedded", embedded_dir=folder) as own:
            listed = own.create_rest_client().list_user_checkpoints().result().checkpoints
            print([item.tinker_path for item in listed] == [path], flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print(training.save_state("b").result().path.endswith("/b"), flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_key_is_the_same_for_all_backends_of_a_process(tmp_path: Path) -> None:
    with tinker.ServiceClient(base_url="embedded", embedded_dir=tmp_path) as service:
        service.get_server_capabilities()
        assert (tmp_path / "key").read_text() == process_key().reveal()
