"""Writes the embedded models in the format of transformers: ``config.json`` and safetensors.

The models are Llama decoders, so that `LlamaForCausalLM` computes the same function.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from safetensors.numpy import load_file, save_file

from tinker_ext.embedded.engine.lora import merged_weights
from tinker_ext.embedded.engine.model import load_base_model
from tinker_ext.embedded.engine.ops import EPSILON
from tinker_ext.embedded.engine.text import END_OF_TEXT, PADDING, tokenizer_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tinker_ext.embedded.engine.model import BaseModel

CONFIG = "config.json"
WEIGHTS = "model.safetensors"


def write_base_model(name: str, folder: Path) -> None:
    """Write a base model and its tokenizer into an existing folder."""
    base = load_base_model(name)
    _write(base, base.weights, folder)


def write_merged_model(name: str, adapter_file: Path, folder: Path) -> None:
    """Write a base model merged with a saved adapter, and its tokenizer, into a folder."""
    base = load_base_model(name)
    _write(base, merged_weights(base, load_file(adapter_file)), folder)


def write_tokenizer(folder: Path) -> None:
    """Write the tokenizer's files."""
    for file in tokenizer_folder().iterdir():
        shutil.copy(file, folder)


def _write(base: BaseModel, weights: Mapping[str, Any], folder: Path) -> None:
    text = json.dumps(_config(base), indent=2)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
    write_tokenizer(folder)
    save_file(dict(weights), folder / WEIGHTS, metadata={"format": "pt"})


def _config(base: BaseModel) -> dict[str, Any]:
    shape = base.shape
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": None,
        "eos_token_id": END_OF_TEXT,
        "head_dim": shape.head_width,
        "hidden_act": "silu",
        "hidden_size": shape.hidden,
        "initializer_range": 0.02,
        "intermediate_size": shape.feedforward,
        "max_position_embeddings": shape.max_context,
        "mlp_bias": False,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.heads,
        "pad_token_id": PADDING,
        "rms_norm_eps": EPSILON,
        "rope_theta": shape.rotary_base,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "vocab_size": shape.vocabulary,
    }
