"""Write the embedded models' tokenizer: one token per byte, and two special ones.

    python scripts/make_tokenizer.py [FOLDER]

The folder (by default the packaged one) can be opened by transformers, without a hub.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tinker_ext.embedded.engine.model import ModelShape
from tinker_ext.embedded.engine.text import END_OF_TEXT, PADDING, tokenizer_folder

END_TEXT, PADDING_TEXT = "<|end|>", "<|pad|>"


def byte_letters() -> dict[str, int]:
    """The printable letter byte-level tokenizers write for each byte, with the byte's value.

    Bytes that print as themselves in Latin-1 do; the others follow from U+0100 on, in order (the
    mapping of GPT-2, which `pre_tokenizers.ByteLevel` applies).
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    letters |= {byte: chr(0x100 + place) for place, byte in enumerate(hidden)}
    return {letters[byte]: byte for byte in range(256)}


def build() -> Tokenizer:
    """A byte-pair tokenizer without merges: every byte stays one token."""
    tokenizer = Tokenizer(models.BPE(vocab=byte_letters(), merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END_TEXT), AddedToken(PADDING_TEXT)])
    assert tokenizer.token_to_id(END_TEXT) == END_OF_TEXT
    assert tokenizer.token_to_id(PADDING_TEXT) == PADDING
    assert tokenizer.get_vocab_size() == ModelShape().vocabulary
    return tokenizer


def main() -> None:
    """Write tokenizer.json and tokenizer_config.json."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else tokenizer_folder()
    folder.mkdir(parents=True, exist_ok=True)
    build().save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END_TEXT,
        "pad_token": PADDING_TEXT,
        "model_max_length": ModelShape().max_context,
        "clean_up_tokenization_spaces": False,
    }
    text = json.dumps(config, indent=2, sort_keys=True)
    (folder / "tokenizer_config.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
