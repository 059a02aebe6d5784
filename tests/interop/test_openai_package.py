"""The official `openai` package samples from a trained checkpoint through both endpoints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import tinker_ext as tinker
from conformance.interop import environments

# The first run also creates the environment.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

REQUIREMENTS = (
    "annotated-types==0.8.0",
    "anyio==4.16.0",
    "h11==0.16.0",
    "httpcore2==2.16.2",
    "httpx2==2.16.2",
    "idna==3.20",
    "jiter==0.19.0",
    "openai==3.57.0",
    "pydantic==2.14.4",
    "pydantic_core==2.50.5",
    "sniffio==1.3.1",
    "truststore==0.10.5",
    "typing_extensions==4.16.0",
    "typing-inspection==0.4.5",
)
PROGRAM = environments.HERE / "drivers" / "openai_program.py"


@contextmanager
def command(*arguments: str, **variables: str) -> Iterator[str]:
    """Run a command of `tinker-ext` that serves; yields its URL."""
    run = [sys.executable, "-m", "tinker_ext", *arguments, "--port", "0"]
    with subprocess.Popen(
        run, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **variables}
    ) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL of an embedded backend, and the path of sampler weights trained on it."""
    folder = tmp_path_factory.mktemp("state")
    with command("serve", "--state-dir", str(folder)) as url:
        with tinker.ServiceClient(base_url=url, api_key="tml-any") as service:
            training = service.create_lora_training_client(
                base_model="embedded/tiny", rank=8, seed=2
            )
            tokens = training.get_tokenizer().encode("User: the quick brown\n\nAssistant: fox\n")
            datum = tinker.Datum(
                model_input=tinker.ModelInput.from_ints(tokens[:-1]),
                loss_fn_inputs={
                    "target_tokens": tokens[1:],
                    "weights": [1.0] * (len(tokens) - 1),
                },
            )
            for _ in range(15):
                training.forward_backward([datum], "cross_entropy")
                training.optim_step(tinker.AdamParams(learning_rate=2e-2))
            path = training.save_weights_for_sampler("trained").result().path
        assert path is not None
        yield url, path


@pytest.fixture(scope="module", params=["serve", "openai"])
def results(request: pytest.FixtureRequest, server: tuple[str, str]) -> Iterator[dict[str, Any]]:
    """What the program printed; once for the endpoint of each command."""
    url, path = server
    python = environments.installed("openai", REQUIREMENTS)
    if request.param == "serve":
        yield sample(python, f"{url}/oai/api/v1", path)
    else:
        with command("openai", TINKER_BASE_URL=url) as address:
            yield sample(python, address, path)


def sample(python: Path, base_url: str, model: str) -> dict[str, Any]:
    run = subprocess.run(
        [str(python), str(PROGRAM), base_url, model],
        capture_output=True,
        text=True,
        check=False,
        env=environments.variables(),
    )
    assert run.returncode == 0, run.stderr
    printed: dict[str, Any] = json.loads(run.stdout)
    return printed


def test_chat_continues_as_trained(results: dict[str, Any]) -> None:
    [choice] = results["chat"]["choices"]
    assert choice["message"]["content"].startswith(" fox")
    assert choice["finish_reason"] == "length"
    scored = choice["logprobs"]["content"]
    assert "".join(item["token"] for item in scored) == choice["message"]["content"]
    assert all(len(item["top_logprobs"]) == 2 for item in scored)
    assert results["chat"]["usage"]["completion_tokens"] == 12


def test_stream_equals_complete_chat(results: dict[str, Any]) -> None:
    *chunks, last = results["chat_stream"]
    deltas = [chunk["choices"][0]["delta"]["content"] or "" for chunk in chunks]
    assert "".join(deltas) == results["chat"]["choices"][0]["message"]["content"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert last["usage"] == results["chat"]["usage"]
    assert len(chunks) > 3


def test_completions_of_two_prompts_are_in_order(results: dict[str, Any]) -> None:
    choices = results["text"]["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2, 3]
    assert choices[0]["text"] == choices[1]["text"] == "".join(results["text_stream"])
    assert choices[2]["text"] == choices[3]["text"] != choices[0]["text"]
    assert all(len(choice["logprobs"]["token_logprobs"]) == 12 for choice in choices)


def test_stop_text_ends_completion(results: dict[str, Any]) -> None:
    whole = results["text"]["choices"][0]["text"]
    assert results["stopped"]["finish_reason"] == "stop"
    assert results["stopped"]["text"] == whole[: whole.index(whole[3:5])]


def test_concurrent_chats_agree(results: dict[str, Any]) -> None:
    assert len(results["async"]) == 8
    assert set(results["async"]) == {results["chat"]["choices"][0]["message"]["content"]}
    assert results["models"] == ["embedded/tiny"]


def test_errors_have_the_classes_of_the_package(results: dict[str, Any]) -> None:
    assert results["errors"] == {
        "model": ["NotFoundError", 404, "model_not_found", "model"],
        "range": ["BadRequestError", 400, None, "temperature"],
        "unknown": ["BadRequestError", 400, None, "topp"],
        "key": ["AuthenticationError", 401, "invalid_api_key", None],
    }
