"""Which tokenizer belongs to a model, and loading it.

The server's own word (`tokenizer_id` of a model's info) comes first. Where it has none, a
table of rules guesses from the model's name. Loading goes through transformers, which is
imported on first use and looks in local folders, its cache and the Hugging Face hub.
"""

from __future__ import annotations

import logging
import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext.errors import TinkerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from transformers import PreTrainedTokenizerBase

#: Bases of gated models, and open copies of their tokenizer in the order they are tried.
#: The first is release 0.4.1's (and the API overview's), the second 0.38.0's.
OPEN_COPIES: Mapping[str, tuple[str, ...]] = {
    "meta-llama/Llama-3": (
        "baseten/Meta-Llama-3-tokenizer",
        "thinkingmachineslabinc/meta-llama-3-instruct-tokenizer",
    ),
}

#: Models served under another name than their tokenizer's repository (release 0.38.0).
RENAMED: Mapping[str, str] = {"moonshotai/Kimi-K2.5-Text-Only": "moonshotai/Kimi-K2.5"}

#: Models whose tokenizer is in this package: those of the embedded backend.
PACKAGED: Mapping[str, Path] = {
    "embedded/tiny": Path(__file__).with_name("embedded") / "data" / "tokenizer"
}

#: Repositories whose tokenizer is Python code. It runs only at the revision named here.
#: The first is in releases 0.4.1 to 0.38.0, the others in 0.38.0.
TRUSTED_REVISIONS: Mapping[str, str] = {
    "moonshotai/Kimi-K2-Thinking": "612681931a8c906ddb349f8ad0f582cb552189cd",
    "moonshotai/Kimi-K2.5": "4d01dfe0332d63057c186e0b262165819efb6611",
    "moonshotai/Kimi-K2.6": "b5aabbfb20227ed42becbf5541dbffd213942c58",
    "moonshotai/Kimi-K3": "f831ab66814297da540d832a5235f8e904f29d06",
}

#: As many tokenizers as release 0.38.0 keeps.
CACHE_SIZE = 32


@frozen
class TokenizerSource:
    """Where a tokenizer may be: a folder or a hub repository, at a revision if one is fixed."""

    location: str
    revision: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What transformers is told beside the location."""
        if self.revision is None:
            return {}
        return {"revision": self.revision, "trust_remote_code": True}


def tokenizer_sources(model_name: str, tokenizer_id: str | None = None) -> list[TokenizerSource]:
    """The places to look, best first. Touches no network.

    An id given by the server (or the caller) is the only place. Otherwise: an open copy where
    the model is gated; ``org/model`` for a variant named ``org/model/variant``; else the name
    itself. A ``:suffix`` of a hub name is no part of the repository. An existing folder is
    taken as it is.
    """
    wanted = tokenizer_id or model_name
    if os.path.isdir(wanted):
        return [TokenizerSource(wanted)]
    if wanted in PACKAGED:
        return [TokenizerSource(str(PACKAGED[wanted]))]
    names = [wanted.split(":")[0]] if tokenizer_id else _guesses(wanted.split(":")[0])
    names = [RENAMED.get(name, name) for name in names]
    return [TokenizerSource(name, TRUSTED_REVISIONS.get(name)) for name in names]


def _guesses(model_name: str) -> list[str]:
    for prefix, copies in OPEN_COPIES.items():
        if model_name.startswith(prefix):
            return list(copies)
    parts = model_name.split("/")
    return ["/".join(parts[:2])] if len(parts) == 3 else [model_name]


# transformers can't be imported by two threads at once.
_one_at_a_time = threading.Lock()


def get_tokenizer(model_name: str, tokenizer_id: str | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a model; the same object on every call. May take seconds: it downloads.

    Args:
        model_name: the base model's name, such as ``Qwen/Qwen3-8B``.
        tokenizer_id: a hub repository or a local folder; wins over every guess.

    Raises:
        TinkerError: it is in none of the places tried; the message names them.
    """
    with _one_at_a_time:
        return _cached(model_name, tokenizer_id)


@lru_cache(maxsize=CACHE_SIZE)
def _cached(model_name: str, tokenizer_id: str | None) -> PreTrainedTokenizerBase:
    sources = tokenizer_sources(model_name, tokenizer_id)
    failures: list[Exception] = []
    for source in sources:
        offline = any(not _hub_answered(failure) for failure in failures)
        try:
            return _load(source, local_files_only=offline)
        except Exception as failure:  # transformers raises OSError, ValueError, ImportError, ...
            failures.append(failure)
    raise TinkerError(_complaint(model_name, sources, failures)) from failures[0]


def _load(source: TokenizerSource, *, local_files_only: bool) -> PreTrainedTokenizerBase:
    loader = _auto_tokenizer()
    tokenizer: PreTrainedTokenizerBase = loader.from_pretrained(
        source.location, local_files_only=local_files_only, **source.options
    )
    return tokenizer


def _auto_tokenizer() -> Any:
    """The loader of transformers, imported without its advice to install PyTorch."""
    logger = logging.getLogger("transformers")
    logger.addFilter(_not_about_torch)
    try:
        from transformers import AutoTokenizer
    finally:
        logger.removeFilter(_not_about_torch)
    return AutoTokenizer


def _not_about_torch(record: logging.LogRecord) -> bool:
    return "PyTorch was not found" not in record.getMessage()


def _hub_answered(failure: BaseException) -> bool:
    """Whether the hub gave an answer, so that asking it for another place makes sense.

    An unreachable hub costs transformers half a minute of retries for every place.
    """
    from huggingface_hub.errors import HfHubHTTPError

    return any(isinstance(error, HfHubHTTPError) for error in _chain(failure))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _complaint(model_name: str, sources: list[TokenizerSource], failures: list[Exception]) -> str:
    tried = "; ".join(
        f"{source.location} ({_first_line(failure)})"
        for source, failure in zip(sources, failures, strict=True)
    )
    return (
        f"No tokenizer for {model_name}. Tried: {tried}. With the files at hand, "
        f"tinker_ext.tokenizers.get_tokenizer({model_name!r}, tokenizer_id='/path/to/folder') "
        "loads them; any other tokenizer works as well, as this client only sees token ids."
    )


def _first_line(failure: Exception) -> str:
    text = str(failure).strip() or type(failure).__name__
    return text.splitlines()[0][:200].rstrip(".")
