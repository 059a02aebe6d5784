"""One forward pass of the decoder, shared by training, scoring and sampling.

Two functions are passed in: one applies a linear map (frozen, merged, or with a separate low-rank
adapter), the other computes attention to earlier positions (within the batch, or from a cache).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import autograd.numpy as anp
import numpy as np

from tinker_ext.embedded.engine import ops

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from tinker_ext.embedded.engine.model import ModelShape

    Array = npt.NDArray[np.floating[Any]]
    Integers = npt.NDArray[np.int64]

MASKED = -1e9
"""Added to masked scores; its exp() is exactly zero in float32."""


class Project(Protocol):
    """Apply the linear map of a module: (rows, in) to (rows, out)."""

    def __call__(self, x: Array, module: str, /) -> Array: ...


class Attend(Protocol):
    """Mix values: queries, keys, values (batch, heads, time, head width) to the queries' shape."""

    def __call__(self, layer: int, q: Array, k: Array, v: Array, /) -> Array: ...


def plain_projection(weights: Mapping[str, Array]) -> Project:
    """The linear maps without an adapter."""
    return lambda x, module: ops.linear(x, weights[f"{module}.weight"])


def hidden_states(
    shape: ModelShape,
    weights: Mapping[str, Array],
    project: Project,
    attend: Attend,
    tokens: Integers,
    positions: Integers,
) -> Array:
    """Normalized states (batch * time, hidden) of tokens (batch, time) at these positions.

    `positions` is (batch, time), from 0. `lm_head` through `project` turns states into logits.
    """
    batch, time = tokens.shape
    dtype = weights["model.norm.weight"].dtype
    cos, sin = (part[positions][:, None] for part in rotary_table(shape, dtype))

    def heads(x: Array) -> Array:
        split: Array = anp.reshape(x, (batch, time, shape.heads, shape.head_width))
        return anp.swapaxes(split, 1, 2)  # type: ignore[no-any-return]  # autograd has no types

    x: Array = weights["model.embed_tokens.weight"][tokens.reshape(-1)]
    for layer in range(shape.layers):
        prefix = f"model.layers.{layer}"
        normal = ops.rms_norm(x, weights[f"{prefix}.input_layernorm.weight"])
        q, k, v = (
            heads(project(normal, f"{prefix}.self_attn.{name}_proj")) for name in ("q", "k", "v")
        )
        mixed = attend(layer, ops.rotate(q, cos, sin), ops.rotate(k, cos, sin), v)
        rows = anp.reshape(anp.swapaxes(mixed, 1, 2), (batch * time, shape.hidden))
        x = x + project(rows, f"{prefix}.self_attn.o_proj")
        normal = ops.rms_norm(x, weights[f"{prefix}.post_attention_layernorm.weight"])
        gate, up = (project(normal, f"{prefix}.mlp.{name}_proj") for name in ("gate", "up"))
        x = x + project(ops.swiglu(gate, up), f"{prefix}.mlp.down_proj")
    return ops.rms_norm(x, weights["model.norm.weight"])


def causal_attention(time: int, dtype: npt.DTypeLike) -> Attend:
    """Attention of each position to itself and to earlier positions of the same row.

    Rows padded on the right need no further mask, because no token follows the padding.
    """
    mask = np.triu(np.full((time, time), MASKED, dtype), k=1)

    def attend(layer: int, q: Array, k: Array, v: Array) -> Array:
        return masked_attention(q, k, v, mask)

    return attend


def masked_attention(q: Array, k: Array, v: Array, mask: Array) -> Array:
    """Scaled dot-product attention; the mask broadcasts to (batch, heads, queries, keys)."""
    scale = 1.0 / math.sqrt(q.shape[-1])
    scores = ops.matmul(q, anp.swapaxes(k, -1, -2))
    return ops.matmul(ops.attention_weights(scores, mask, scale), v)


@lru_cache(maxsize=8)
def rotary_table(shape: ModelShape, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Cosines and sines (max_context, head width / 2) of each position's rotation angles."""
    half = shape.head_width // 2
    frequencies = shape.rotary_base ** (-np.arange(half) / half)
    angles = np.outer(np.arange(shape.max_context), frequencies)
    return np.cos(angles).astype(dtype), np.sin(angles).astype(dtype)
