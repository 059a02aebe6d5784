"""Finds and loads the tokenizer of a model.

The server's choice (`tokenizer_id` of a model's info) comes first. Without one, a table of rules
derives the tokenizer from the model's name. Transformers loads it from local folders, its cache
and the Hugging Face hub; it is imported on first use.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext import tracing
from tinker_ext.errors import TinkerError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Prefixes of gated models, and open copies of their tokenizer in the order they are tried.
#: The first copy is that of release 0.4.1 (and of the API overview), the second that of 0.38.0.
OPEN_COPIES: Mapping[str, tuple[str, ...]] = {
    "meta-llama/Llama-3": (
        "baseten/Meta-Llama-3-tokenizer",
        "thinkingmachineslabinc/meta-llama-3-instruct-tokenizer",
    ),
}

#: Models whose name differs from the repository of their tokenizer (release 0.38.0).
RENAMED: Mapping[str, str] = {"moonshotai/Kimi-K2.5-Text-Only": "moonshotai/Kimi-K2.5"}

#: Models of the embedded backend, whose tokenizer is part of this package.
PACKAGED: Mapping[str, Path] = {
    "embedded/tiny": Path(__file__).with_name("embedded") / "data" / "tokenizer"
}

#: Repositories whose tokenizer is Python code, which is executed only at this revision.
#: The first is in releases 0.4.1 to 0.38.0, the others in 0.38.0.
TRUSTED_REVISIONS: Mapping[str, str] = {
    "moonshotai/Kimi-K2-Thinking": "612681931a8c906ddb349f8ad0f582cb552189cd",
    "moonshotai/Kimi-K2.5": "4d01dfe0332d63057c186e0b262165819efb6611",
    "moonshotai/Kimi-K2.6": "b5aabbfb20227ed42becbf5541dbffd213942c58",
    "moonshotai/Kimi-K3": "f831ab66814297da540d832a5235f8e904f29d06",
}

#: Tokenizers kept in memory (0.38.0).
CACHE_SIZE = 32

#: Seconds before each attempt to reach the hub. An attempt without a response takes ten seconds.
PROBE_WAITS = (0.0, 1.0)


@frozen
class TokenizerSource:
    """A folder or a hub repository, optionally at a fixed revision."""

    location: str
    revision: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Arguments for transformers beside the location."""
        if self.revision is None:
            return {}
        return {"revision": self.revision, "trust_remote_code": True}


def tokenizer_sources(model_name: str, tokenizer_id: str | None = None) -> list[TokenizerSource]:
    """The sources to try, best first. Sends no request.

    A `tokenizer_id` of the server (or the caller) is the only source. Otherwise: an open copy if
    the model is gated; ``org/model`` for a variant named ``org/model/variant``; else the name
    itself. A ``:suffix`` of a hub name is not part of the repository. An existing folder is used
    as it is.
    """
    name = tokenizer_id or model_name
    if os.path.isdir(name):
        return [TokenizerSource(name)]
    if name in PACKAGED:
        return [TokenizerSource(str(PACKAGED[name]))]
    repository = name.split(":")[0]
    names = [repository] if tokenizer_id else _guesses(repository)
    names = [RENAMED.get(name, name) for name in names]
    return [TokenizerSource(name, TRUSTED_REVISIONS.get(name)) for name in names]


def _guesses(model_name: str) -> list[str]:
    for prefix, copies in OPEN_COPIES.items():
        if model_name.startswith(prefix):
            return list(copies)
    parts = model_name.split("/")
    return ["/".join(parts[:2])] if len(parts) == 3 else [model_name]


# Two threads can't import transformers at once.
_lock = threading.Lock()


def get_tokenizer(model_name: str, tokenizer_id: str | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a model; the same object on every call. May take seconds: it downloads.

    Args:
        model_name: the base model's name, such as ``Qwen/Qwen3-8B``.
        tokenizer_id: a hub repository or a local folder; takes precedence over the rules.

    Raises:
        TinkerError: no source has it; the message lists them.
    """
    with _lock:
        return _cached(model_name, tokenizer_id)


@lru_cache(maxsize=CACHE_SIZE)
def _cached(model_name: str, tokenizer_id: str | None) -> PreTrainedTokenizerBase:
    with tracing.loading_tokenizer(tokenizer_id or model_name):
        return _load_first(model_name, tokenizer_sources(model_name, tokenizer_id))


def _load_first(model_name: str, sources: list[TokenizerSource]) -> PreTrainedTokenizerBase:
    """The tokenizer of the first source that has it."""
    failures: list[Exception] = []
    unreachable: Exception | None = None
    for source in sources:
        if unreachable is None:
            unreachable = _hub_failure(source)
        try:
            return _load(source, local_files_only=unreachable is not None)
        except Exception as failure:  # transformers raises OSError, ValueError, ImportError, ...
            failures.append(failure)
    not_found = TinkerError(_error_message(model_name, sources, failures, unreachable))
    not_found.hint = (
        f"To load it from local files, call tinker_ext.tokenizers.get_tokenizer({model_name!r}, "
        "tokenizer_id='/path/to/folder'). Any other tokenizer works as well, because this client "
        "only handles token ids."
    )
    raise not_found from unreachable or failures[0]


def _hub_failure(source: TokenizerSource) -> Exception | None:
    """Why the hub can't be reached; None if it responded, or is not needed.

    With an unreachable hub, transformers retries for half a minute for each of several files.
    """
    if os.path.isdir(source.location):
        return None
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    failure: Exception | None = None
    for wait in PROBE_WAITS:
        time.sleep(wait)
        try:
            url = hf_hub_url(source.location, "tokenizer_config.json", revision=source.revision)
            get_hf_file_metadata(url)
        except (HfHubHTTPError, HFValidationError):  # Such as 404: transformers tries other files.
            return None
        except OfflineModeIsEnabled as error:
            return error
        except Exception as error:  # The errors of the HTTP library of huggingface_hub.
            failure = error
        else:
            return None
    return failure


def _load(source: TokenizerSource, *, local_files_only: bool) -> PreTrainedTokenizerBase:
    loader = _auto_tokenizer()
    tokenizer: PreTrainedTokenizerBase = loader.from_pretrained(
        source.location, local_files_only=local_files_only, **source.options
    )
    return tokenizer


def _auto_tokenizer() -> Any:
    """The loader of transformers, imported without its log message about PyTorch."""
    logger = logging.getLogger("transformers")
    logger.addFilter(_not_about_torch)
    try:
        from transformers import AutoTokenizer
    finally:
        logger.removeFilter(_not_about_torch)
    return AutoTokenizer


def _not_about_torch(record: logging.LogRecord) -> bool:
    return "PyTorch was not found" not in record.getMessage()


def _error_message(
    model_name: str,
    sources: list[TokenizerSource],
    failures: list[Exception],
    unreachable: Exception | None,
) -> str:
    tried = "; ".join(
        f"{source.location} ({_first_line(failure)})"
        for source, failure in zip(sources, failures, strict=True)
    )
    hub = "" if unreachable is None else f" The hub can't be reached: {_first_line(unreachable)}."
    return f"No tokenizer for {model_name}. Tried: {tried}.{hub}"


def _first_line(failure: Exception) -> str:
    text = str(failure).strip() or type(failure).__name__
    return text.splitlines()[0][:200].rstrip(".")
