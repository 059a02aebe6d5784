"""Clients in several processes: pickled, copied, forked."""

from __future__ import annotations

import base64
import copy
import json
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

import tinker_ext as tinker
from tests.builders import PARAMS, PROMPT
from tests.processes import bare_environment, in_a_fork
from tinker_ext.testing import FakeServer, FaultServer, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "tml-planted-in-the-parent"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def run_in_new_interpreter(code: str, pickled: bytes, key: str | None = "tml-of-the-worker") -> str:
    """Run code in a new interpreter, with the unpickled client as `client`; return its output."""
    environment = bare_environment()
    if key is not None:
        environment["TINKER_API_KEY"] = key
    program = f"import pickle, sys\nclient = pickle.load(sys.stdin.buffer)\n{code}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        input=pickled,
        capture_output=True,
        env=environment,
        timeout=100,
    )
    assert done.stderr == b"", done.stderr.decode()
    return done.stdout.decode().strip()


def test_pickled_sampling_client_uses_the_key_of_the_worker(server: FaultServer) -> None:
    with tinker.ServiceClient(base_url=server.url, api_key=KEY) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        sampler.sample(PROMPT, 1, PARAMS).result(60)
        pickled = pickle.dumps(sampler)
        assert KEY.encode() not in pickled
        output = run_in_new_interpreter(
            "import tinker_ext as t\n"
            "params = t.SamplingParams(max_tokens=4)\n"
            "response = client.sample(t.ModelInput.from_ints([1]), 1, params).result(60)\n"
            "print(response.sequences[0].tokens, client.sampling_session_id)",
            pickled,
        )
    assert output == f"[1, 2, 3] {sampler.sampling_session_id}"
    mine, theirs = server.calls("asample")
    assert (mine.headers["x-api-key"], theirs.headers["x-api-key"]) == (KEY, "tml-of-the-worker")
    assert mine.body["seq_id"] == 0
    assert 0 < theirs.body["seq_id"] < 2**53, "no two processes use the same seq_id"


def test_unpickled_client_without_a_key_raises_configuration_error(server: FaultServer) -> None:
    with tinker.ServiceClient(base_url=server.url, api_key=KEY) as service:
        pickled = pickle.dumps(service.create_rest_client())
    code = (
        "import tinker_ext as t\n"
        "try:\n    client.list_training_runs().result(60)\n"
        "except t.ConfigurationError as error:\n    print(error)"
    )
    assert "TINKER_API_KEY" in run_in_new_interpreter(code, pickled, key=None)


def test_pickled_training_client_continues_the_seq_ids(server: FaultServer) -> None:
    with tinker.ServiceClient(base_url=server.url, api_key=KEY) as service:
        training = service.create_lora_training_client("fake/model")
        training.optim_step(tinker.AdamParams()).result(60)
        code = "import tinker_ext as t\nclient.optim_step(t.AdamParams()).result(60)"
        run_in_new_interpreter(code, pickle.dumps(training))
    assert [call.body["seq_id"] for call in server.calls("optim_step")] == [1, 2]


def test_clients_unpickled_in_one_process_share_a_core(server: FaultServer) -> None:
    with tinker.ServiceClient(base_url=server.url, api_key=KEY) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        first, second = (pickle.loads(pickle.dumps(sampler)) for _ in range(2))
    assert first is not second
    assert first._core is second._core
    assert KEY not in repr(first._core.config)
    first._core.close(0)


def test_copy_returns_the_same_client() -> None:
    with make_client(FakeServer()) as service:
        training = service.create_lora_training_client("fake/model")
        clients = [
            service,
            training,
            service.create_rest_client(),
            service.create_sampling_client(base_model="fake/model"),
        ]
        for client in clients:
            assert copy.deepcopy([client]) == [client]
            assert copy.copy(client) is client


def test_after_fork_sampling_works_and_training_raises(
    server: FaultServer, http_transport: str
) -> None:
    released: list[int] = []
    with make_client(
        base_url=server.url,
        release=lambda: released.append(os.getpid()),
        http_transport=http_transport,
    ) as service:
        sampler = service.create_sampling_client(base_model="fake/model")
        training = service.create_lora_training_client("fake/model")
        sampler.sample(PROMPT, 1, PARAMS).result(60)

        def child() -> str:
            tokens = sampler.sample(PROMPT, 1, PARAMS).result(60).sequences[0].tokens
            service.close()
            return f"{tokens} {released}"

        assert in_a_fork(child) == "[1, 2, 3] []", "the child does not release the parent's backend"
        message = in_a_fork(lambda: str(training.optim_step(tinker.AdamParams())))
        assert "belongs to the process that this one was forked from" in message
        training.optim_step(tinker.AdamParams()).result(60)
    numbers = [call.body["seq_id"] for call in server.calls("asample")]
    assert numbers[0] == 0
    assert len(set(numbers)) == 2
    assert released == [os.getpid()]


def test_fork_does_not_end_the_session_of_the_parent(
    server: FaultServer, http_transport: str
) -> None:
    with make_client(
        base_url=server.url, heartbeat_interval=0.05, http_transport=http_transport
    ) as service:
        service.create_lora_training_client("fake/model")

        def child() -> str:
            return service.create_lora_training_client("fake/model").model_id

        assert in_a_fork(child), "the child creates its own session"
        before = len(server.calls("session_heartbeat"))
        service.create_lora_training_client("fake/model")
        assert len(server.calls("create_session")) == 2
        service.get_server_capabilities()
        for _ in range(200):
            if len(server.calls("session_heartbeat")) > before:
                break
            service.get_server_capabilities()
        assert len(server.calls("session_heartbeat")) > before


def test_pickle_of_embedded_client_works_in_a_worker_and_has_no_key(
    tmp_path: Path,
) -> None:
    with tinker.ServiceClient(base_url="embedded", api_key=KEY, embedded_dir=tmp_path) as service:
        sampler = service.create_sampling_client(base_model="embedded/tiny")
        greedy = tinker.SamplingParams(max_tokens=4, temperature=0)
        sequence = sampler.sample(PROMPT, 1, greedy).result(60).sequences[0]
        pickled, handle = pickle.dumps(sampler), sampler.get_sampler_handle()
        private = (tmp_path / "key").read_bytes()
        readable = base64.urlsafe_b64decode(handle)
        for secret in (private, KEY.encode()):
            assert secret not in pickled
            assert secret not in readable
        code = (
            "import tinker_ext as t\n"
            "prompt = t.ModelInput.from_ints([1, 2, 3])\n"
            "params = t.SamplingParams(max_tokens=4, temperature=0)\n"
            f"other = t.SamplingClient.from_sampler_handle({handle!r})\n"
            "for sampler in (client, pickle.loads(pickle.dumps(client)), other):\n"
            "    print(sampler.sample(prompt, 1, params).result(60).sequences[0].tokens)"
        )
        printed = run_in_new_interpreter(code, pickled).splitlines()
        assert printed == [str(sequence.tokens)] * 3
        url = json.loads(readable)["base_url"]
        for headers in ({}, {"X-API-Key": KEY}):
            refused = httpx.get(f"{url}/api/v1/healthz", headers=headers)
            assert refused.status_code == 401, "the key file is required"


def test_unpickled_client_of_a_stopped_embedded_backend_raises(tmp_path: Path) -> None:
    with tinker.ServiceClient(base_url="embedded") as service:
        sampler = service.create_sampling_client(base_model="embedded/tiny")
        sampler.sample(PROMPT, 1, PARAMS).result(60)
        pickled = pickle.dumps(sampler)
    code = (
        "import tinker_ext as t\n"
        "prompt, params = t.ModelInput.from_ints([1]), t.SamplingParams(max_tokens=4)\n"
        "try: client.sample(prompt, 1, params).result(60)\n"
        "except t.ConfigurationError as error: print(error)"
    )
    assert "this client's embedded backend has stopped" in run_in_new_interpreter(code, pickled)
