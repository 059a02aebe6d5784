"""The tokenizer with tokenizers and transformers."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest

from scripts import make_tokenizer
from tinker_ext.embedded.engine.model import ModelShape
from tinker_ext.embedded.engine.text import (
    END_OF_TEXT,
    PADDING,
    decode,
    encode,
    tokenizer_folder,
)

TEXTS = ["", "hello", "  two  spaces \n\ttab\r\n", "wörld ✓ 漢字 🙂", "\x00\x7f", "a<|end|>b"]


@pytest.mark.parametrize("text", TEXTS)
def test_round_trip(text: str) -> None:
    assert decode(encode(text), skip_special_tokens=False) == text


@pytest.mark.parametrize("text", TEXTS[:-1])
def test_ids_are_bytes(text: str) -> None:
    assert bytes(encode(text).tolist()) == text.encode()


def test_special_tokens() -> None:
    assert encode("a<|end|><|pad|>").tolist() == [97, END_OF_TEXT, PADDING]
    assert decode([97, END_OF_TEXT, 98]) == "ab"
    assert decode([97, 0xC3]) == "a\ufffd"


def test_transformers_loads_the_folder_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(tokenizer_folder()))
    assert isinstance(tokenizer, transformers.PreTrainedTokenizerFast)
    assert len(tokenizer) == ModelShape().vocabulary < 300
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (END_OF_TEXT, PADDING)
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert ids == encode(text).tolist()
        assert tokenizer.decode(ids) == text


def test_packaged_tokenizer_matches_its_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["make_tokenizer.py", str(tmp_path)])
    make_tokenizer.main()
    names = ["tokenizer.json", "tokenizer_config.json"]
    same, *different = filecmp.cmpfiles(tmp_path, tokenizer_folder(), names, shallow=False)
    assert (same, different) == (names, [[], []])
