"""Finding and loading the tokenizer of a model, without a network."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

import httpx
import huggingface_hub
import pytest
import transformers
from huggingface_hub.errors import (
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
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
    """A folder with a tokenizer of two words, in the format of a hub repository."""
    words = Tokenizer(WordLevel({"yes": 0, "no": 1}, unk_token="no"))
    make: Any = transformers.PreTrainedTokenizerFast
    make(tokenizer_object=words).save_pretrained(tmp_path)
    return str(tmp_path)


class Hub:
    """Replaces the loader of transformers; records its calls and returns or raises `outcomes`."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def from_pretrained(self, location: str, **options: Any) -> Any:
        self.calls.append((location, options))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def use(monkeypatch: pytest.MonkeyPatch, *outcomes: Any) -> Hub:
    hub = Hub(*outcomes)
    monkeypatch.setattr(transformers, "AutoTokenizer", hub)
    return hub


def not_found() -> OSError:
    """The error of transformers for a repository that the hub does not have."""
    return OSError("is not a valid model identifier\nand more lines")


class Probe:
    """Replaces the request for the metadata of a file; records the URLs, raises the `failures`."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.urls: list[str] = []

    def __call__(self, url: str) -> object:
        self.urls.append(url)
        if self.failures:
            raise self.failures.pop(0)
        return object()


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    """The hub responds, unless a test adds failures."""
    probe = Probe()
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", probe)
    monkeypatch.setattr(tokenizers, "PROBE_WAITS", (0.0, 0.0))
    return probe


@pytest.mark.parametrize(
    ("model", "locations"),
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
def test_sources_derived_from_model_name(model: str, locations: list[str]) -> None:
    assert tokenizer_sources(model) == [TokenizerSource(location) for location in locations]


def test_tokenizer_id_overrides_rules() -> None:
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
def test_remote_code_trusted_only_at_known_revision(
    arguments: tuple[str, ...], location: str, revision: str
) -> None:
    [source] = tokenizer_sources(*arguments)
    assert source == TokenizerSource(location, revision)
    assert source.options == {"revision": revision, "trust_remote_code": True}
    assert TokenizerSource("anything/else").options == {}


def test_local_folder_loaded_and_cached(folder: str) -> None:
    tokenizer = get_tokenizer("embedded/tiny", folder)
    assert tokenizer.convert_tokens_to_ids("no") == 1
    assert get_tokenizer("embedded/tiny", folder) is tokenizer


def test_folder_accepted_as_model_name(folder: str) -> None:
    assert tokenizer_sources(folder) == [TokenizerSource(folder)]


def test_second_source_tried_if_hub_lacks_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = use(monkeypatch, not_found(), LOADED)
    assert get_tokenizer("meta-llama/Llama-3.2-1B") is LOADED
    assert [options["local_files_only"] for _, options in hub.calls] == [False, False]


def test_unreachable_hub_probed_twice_and_loader_restricted_to_local_files(
    monkeypatch: pytest.MonkeyPatch, probe: Probe
) -> None:
    probe.failures = [OSError("no route"), OSError("Name not known\nmore")]
    hub = use(monkeypatch, OSError("not in the cache.\nCheck it"), OSError("no file"))
    with pytest.raises(TinkerError) as caught:
        get_tokenizer("meta-llama/Llama-3.2-1B")
    assert [options["local_files_only"] for _, options in hub.calls] == [True, True]
    assert len(probe.urls) == 2
    message = str(caught.value)
    assert "baseten/Meta-Llama-3-tokenizer (not in the cache)" in message
    assert "thinkingmachineslabinc/meta-llama-3-instruct-tokenizer (no file)" in message
    assert "The hub can't be reached: Name not known." in message
    assert "tokenizer_id='/path/to/folder'" in message
    assert "Check it" not in message
    assert isinstance(caught.value.__cause__, OSError)


def test_hub_that_responds_to_second_probe_used(
    monkeypatch: pytest.MonkeyPatch, probe: Probe
) -> None:
    probe.failures = [OSError("reset")]
    hub = use(monkeypatch, LOADED)
    assert get_tokenizer(KIMI) is LOADED
    assert [options["local_files_only"] for _, options in hub.calls] == [False]
    path = f"{KIMI}/resolve/{tokenizers.TRUSTED_REVISIONS[KIMI]}/tokenizer_config.json"
    assert [url.endswith(path) for url in probe.urls] == [True, True]


@pytest.mark.parametrize(
    ("failure", "local"),
    [
        (
            RepositoryNotFoundError(
                "404",
                response=cast(
                    "Any", httpx.Response(404, request=httpx.Request("HEAD", "https://hub.test"))
                ),
            ),
            False,
        ),
        (HFValidationError("not a repository"), False),
        (OfflineModeIsEnabled("HF_HUB_OFFLINE"), True),
    ],
)
def test_hub_probed_once_if_it_responds_or_is_disabled(
    monkeypatch: pytest.MonkeyPatch, probe: Probe, failure: Exception, *, local: bool
) -> None:
    probe.failures = [failure]
    hub = use(monkeypatch, OSError("no file"))
    with pytest.raises(TinkerError) as caught:
        get_tokenizer("org/model")
    assert len(probe.urls) == 1
    assert [options["local_files_only"] for _, options in hub.calls] == [local]
    assert ("can't be reached: HF_HUB_OFFLINE" in str(caught.value)) is local


def test_folder_needs_no_hub(folder: str, probe: Probe) -> None:
    get_tokenizer("any", folder)
    assert probe.urls == []


def test_failure_not_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, not_found(), LOADED)
    with pytest.raises(TinkerError, match="org/model"):
        get_tokenizer("org/model")
    assert get_tokenizer("org/model") is LOADED


def test_transformers_imported_on_first_use() -> None:
    code = "import sys, tinker_ext.tokenizers; print('transformers' in sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "False"


def test_loading_logs_no_message_about_torch(folder: str) -> None:
    code = (
        "import logging; from tinker_ext.tokenizers import get_tokenizer; "
        f"get_tokenizer('x', {folder!r}); print(logging.getLogger('transformers').filters)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "PyTorch" not in process.stderr
    assert process.stdout.strip() == "[]"


def test_concurrent_threads_get_same_tokenizer(folder: str) -> None:
    code = (
        "import sys, threading\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from tinker_ext.tokenizers import get_tokenizer\n"
        "start = threading.Barrier(8)\n"
        "def load(_):\n"
        "    start.wait()\n"
        "    return get_tokenizer('any', sys.argv[1])\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    print(len({id(tokenizer) for tokenizer in pool.map(load, range(8))}))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, timeout=100
    )
    assert (process.stdout, process.stderr) == ("1\n", "")


# Any, because the annotations of transformers don't include content in parts.
CHAT: list[Any] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "How?"}]},
    {"role": "assistant", "content": "So."},
]


def test_embedded_tokenizer_has_a_chat_template() -> None:
    tokenizer = get_tokenizer("embedded/tiny")
    prompt = tokenizer.apply_chat_template(CHAT[:2], tokenize=False, add_generation_prompt=True)
    complete = tokenizer.apply_chat_template(CHAT, tokenize=False)
    assert prompt == "System: Be brief.\n\nUser: How?\n\nAssistant:"
    assert complete == f"{prompt} So.<|end|>"
    started = tokenizer.apply_chat_template(CHAT, tokenize=False, continue_final_message=True)
    assert started == f"{prompt} So."


def test_embedded_chat_template_marks_the_tokens_of_the_assistant() -> None:
    tokenizer: Any = get_tokenizer("embedded/tiny")
    encoded = tokenizer.apply_chat_template(
        CHAT, return_dict=True, return_assistant_tokens_mask=True
    )
    pairs = zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
    assert tokenizer.decode([token for token, mask in pairs if mask]) == " So.<|end|>"


def test_embedded_chat_template_rejects_an_image() -> None:
    from jinja2 import TemplateError

    image: list[Any] = [{"role": "user", "content": [{"type": "image"}]}]
    with pytest.raises(TemplateError, match="reads text, not image"):
        get_tokenizer("embedded/tiny").apply_chat_template(image, tokenize=False)
