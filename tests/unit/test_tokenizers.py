"""Which tokenizer belongs to a model, and how loading one succeeds and fails. No network."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import transformers
from huggingface_hub.errors import RepositoryNotFoundError
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from tinker_ext import tokenizers
from tinker_ext.errors import TinkerError
from tinker_ext.tokenizers import TokenizerSource, get_tokenizer, tokenizer_sources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOADED: Any = object()
KIMI = "moonshotai/Kimi-K2-Thinking"


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    tokenizers._cached.cache_clear()
    yield
    tokenizers._cached.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A folder with a tokenizer of two words, as a hub repository has one."""
    words = Tokenizer(WordLevel({"yes": 0, "no": 1}, unk_token="no"))
    make: Any = transformers.PreTrainedTokenizerFast
    make(tokenizer_object=words).save_pretrained(tmp_path)
    return str(tmp_path)


class Hub:
    """Stands for transformers' loader: says what it was asked, and fails as told."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def from_pretrained(self, location: str, **options: Any) -> Any:
        self.asked.append((location, options))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def use(monkeypatch: pytest.MonkeyPatch, *outcomes: Any) -> Hub:
    hub = Hub(*outcomes)
    monkeypatch.setattr(transformers, "AutoTokenizer", hub)
    return hub


def not_found() -> OSError:
    """What transformers raises when the hub has no such repository."""
    response: Any = httpx.Response(404, request=httpx.Request("HEAD", "https://hub.test"))
    failure = OSError("is not a valid model identifier\nand more lines")
    failure.__cause__ = RepositoryNotFoundError("404", response=response)
    return failure


@pytest.mark.parametrize(
    ("model", "places"),
    [
        ("Qwen/Qwen3-8B", ["Qwen/Qwen3-8B"]),
        ("Qwen/Qwen3-8B/variant", ["Qwen/Qwen3-8B"]),
        ("Qwen/Qwen3-8B:peft:32k", ["Qwen/Qwen3-8B"]),
        ("gpt2", ["gpt2"]),
        ("a/b/c/d", ["a/b/c/d"]),
        (
            "meta-llama/Llama-3.1-8B-Instruct",
            [
                "baseten/Meta-Llama-3-tokenizer",
                "thinkingmachineslabinc/meta-llama-3-instruct-tokenizer",
            ],
        ),
        ("meta-llama/Llama-2-7b", ["meta-llama/Llama-2-7b"]),
    ],
)
def test_the_places_a_name_suggests(model: str, places: list[str]) -> None:
    assert tokenizer_sources(model) == [TokenizerSource(place) for place in places]


def test_the_servers_word_wins_over_every_guess() -> None:
    result = tokenizer_sources("meta-llama/Llama-3.1-8B", "org/own")
    assert result == [TokenizerSource("org/own")]


@pytest.mark.parametrize(
    ("arguments", "location", "revision"),
    [
        ((KIMI,), KIMI, "612681931a8c906ddb349f8ad0f582cb552189cd"),
        (("some/model", KIMI), KIMI, "612681931a8c906ddb349f8ad0f582cb552189cd"),
        (
            ("moonshotai/Kimi-K2.5-Text-Only",),
            "moonshotai/Kimi-K2.5",
            "4d01dfe0332d63057c186e0b262165819efb6611",
        ),
        (
            ("moonshotai/Kimi-K2.6/variant",),
            "moonshotai/Kimi-K2.6",
            "b5aabbfb20227ed42becbf5541dbffd213942c58",
        ),
    ],
)
def test_code_runs_only_from_a_known_revision(
    arguments: tuple[str, ...], location: str, revision: str
) -> None:
    [source] = tokenizer_sources(*arguments)
    assert source == TokenizerSource(location, revision)
    assert source.options == {"revision": revision, "trust_remote_code": True}
    assert TokenizerSource("anything/else").options == {}


def test_a_local_folder_loads_and_is_kept(folder: str) -> None:
    tokenizer = get_tokenizer("embedded/tiny", folder)
    assert tokenizer.convert_tokens_to_ids("no") == 1
    assert get_tokenizer("embedded/tiny", folder) is tokenizer


def test_a_folder_may_stand_for_the_model_too(folder: str) -> None:
    assert tokenizer_sources(folder) == [TokenizerSource(folder)]


def test_the_second_place_is_tried_when_the_hub_lacks_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = use(monkeypatch, not_found(), LOADED)
    assert get_tokenizer("meta-llama/Llama-3.2-1B") is LOADED
    assert [options["local_files_only"] for _, options in hub.asked] == [False, False]


def test_an_unreachable_hub_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = use(monkeypatch, OSError("We couldn't connect to the hub.\nCheck it"), OSError("no file"))
    with pytest.raises(TinkerError) as caught:
        get_tokenizer("meta-llama/Llama-3.2-1B")
    assert [options["local_files_only"] for _, options in hub.asked] == [False, True]
    message = str(caught.value)
    assert "baseten/Meta-Llama-3-tokenizer (We couldn't connect to the hub)" in message
    assert "thinkingmachineslabinc/meta-llama-3-instruct-tokenizer (no file)" in message
    assert "tokenizer_id='/path/to/folder'" in message
    assert "Check it" not in message
    assert isinstance(caught.value.__cause__, OSError)


def test_a_failure_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, not_found(), LOADED)
    with pytest.raises(TinkerError, match="org/model"):
        get_tokenizer("org/model")
    assert get_tokenizer("org/model") is LOADED


def test_transformers_waits_for_its_first_use() -> None:
    code = "import sys, tinker_ext.tokenizers; print('transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_loading_does_not_advise_to_install_torch(folder: str) -> None:
    code = (
        "import logging; from tinker_ext.tokenizers import get_tokenizer; "
        f"get_tokenizer('x', {folder!r}); print(logging.getLogger('transformers').filters)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "PyTorch" not in done.stderr
    assert done.stdout.strip() == "[]"


def test_threads_that_ask_at_once_get_the_same_one(folder: str) -> None:
    code = (
        "import sys, threading\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from tinker_ext.tokenizers import get_tokenizer\n"
        "start = threading.Barrier(8)\n"
        "def ask(_):\n"
        "    start.wait()\n"
        "    return get_tokenizer('any', sys.argv[1])\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    print(len({id(one) for one in pool.map(ask, range(8))}))\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, timeout=100
    )
    assert (said.stdout, said.stderr) == ("1\n", "")
