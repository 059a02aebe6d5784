"""The tokenizer: one token per byte of UTF-8, id = byte value, and two special tokens.

`get_info` returns the packaged folder as the model's tokenizer: transformers loads it as a
`PreTrainedTokenizerFast`. This module reads the same file with `tokenizers`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

END_OF_TEXT = 256
"""Id of ``<|end|>``, which ends a document and stops sampling."""

PADDING = 257
"""Id of ``<|pad|>``, which the server never produces; batching libraries need one."""


def tokenizer_folder() -> Path:
    """Absolute path of the tokenizer's files, for `AutoTokenizer.from_pretrained`."""
    return Path(str(files("tinker_ext.embedded").joinpath("data", "tokenizer"))).resolve()


def encode(text: str) -> npt.NDArray[np.int64]:
    """Token ids (n,) of a text, without special tokens."""
    return np.array(_tokenizer().encode(text).ids, np.int64)


def decode(tokens: Iterable[int], *, skip_special_tokens: bool = True) -> str:
    """The text of token ids; bytes that are not UTF-8 become U+FFFD."""
    ids = [int(token) for token in tokens]
    text: str = _tokenizer().decode(ids, skip_special_tokens=skip_special_tokens)
    return text


@cache
def _tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(tokenizer_folder() / "tokenizer.json"))
