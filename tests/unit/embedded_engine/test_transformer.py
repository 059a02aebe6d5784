"""The batched forward pass compared with a reference implementation by position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.unit.embedded_engine.scored import prompt_logprobs

if TYPE_CHECKING:
    import numpy.typing as npt

    from tinker_ext.embedded.engine.model import BaseModel

    Array = npt.NDArray[np.float64]


def normalized(x: Array, gain: Array) -> Array:
    return np.asarray(x / np.sqrt(np.mean(x**2) + 1e-6) * gain)


def rotated(x: Array, position: int, base: float) -> Array:
    """Rotate each pair (i, i + half) as a complex number."""
    half = len(x) // 2
    pairs = x[:half] + 1j * x[half:]
    turned = pairs * np.exp(1j * position * base ** (-np.arange(half) / half))
    return np.concatenate([turned.real, turned.imag])


def plain_logits(model: BaseModel, tokens: list[int]) -> Array:
    """Logits after the last token, computed by layer, position and head."""
    shape = model.shape
    w = {name: value.astype(np.float64) for name, value in model.weights.items()}
    states = [w["model.embed_tokens.weight"][token] for token in tokens]
    for layer in range(shape.layers):
        own = f"model.layers.{layer}"
        q, k, v = [], [], []
        for position, x in enumerate(states):
            normal = normalized(x, w[f"{own}.input_layernorm.weight"])
            parts = [
                (w[f"{own}.self_attn.{name}_proj.weight"] @ normal).reshape(shape.heads, -1)
                for name in "qkv"
            ]
            q.append([rotated(head, position, shape.rotary_base) for head in parts[0]])
            k.append([rotated(head, position, shape.rotary_base) for head in parts[1]])
            v.append(parts[2])
        for position, x in enumerate(states):
            mixed = []
            for head in range(shape.heads):
                scores = np.array(
                    [q[position][head] @ k[seen][head] for seen in range(position + 1)]
                ) / np.sqrt(shape.head_width)
                shares = np.exp(scores) / np.exp(scores).sum()
                mixed.append(sum(share * v[seen][head] for seen, share in enumerate(shares)))
            x = x + w[f"{own}.self_attn.o_proj.weight"] @ np.concatenate(mixed)
            normal = normalized(x, w[f"{own}.post_attention_layernorm.weight"])
            gate = w[f"{own}.mlp.gate_proj.weight"] @ normal
            up = w[f"{own}.mlp.up_proj.weight"] @ normal
            opened = gate / (1 + np.exp(-gate)) * up
            states[position] = x + w[f"{own}.mlp.down_proj.weight"] @ opened
    logits: Array = w["lm_head.weight"] @ normalized(states[-1], w["model.norm.weight"])
    return logits


def test_forward_pass_matches_reference_implementation(small: BaseModel) -> None:
    tokens = [5, 200, 5, 17, 256, 0, 99]
    scores = prompt_logprobs(small, None, np.array(tokens))
    for position in range(1, len(tokens)):
        logits = plain_logits(small, tokens[:position])
        expected = logits[tokens[position]] - np.log(np.exp(logits).sum())
        assert scores.logprobs[position] == pytest.approx(expected, rel=1e-9)
