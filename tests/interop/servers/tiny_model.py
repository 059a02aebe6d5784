"""Write a model that knows nothing into a folder: `python tiny_model.py FOLDER`.

Run by the server's own interpreter, which has torch, transformers and tokenizers; so no model hub
is needed. Qwen3's architecture, because every server knows it; one token for each byte.
"""

from __future__ import annotations

import sys

END = "<|endoftext|>"
# 256 bytes and the end of text, rounded up to what kernels like.
VOCABULARY = 512


def write_tokenizer(folder: str) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = [END, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(
        models.BPE(vocab={letter: at for at, letter in enumerate(letters)}, merges=[])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=END
    ).save_pretrained(folder)


def write_model(folder: str) -> None:
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=512,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder, safe_serialization=True)


if __name__ == "__main__":
    write_tokenizer(sys.argv[1])
    write_model(sys.argv[1])
