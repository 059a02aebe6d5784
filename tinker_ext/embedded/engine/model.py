"""The base models: their names, shapes and weights."""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import field, frozen
from safetensors.numpy import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Array = npt.NDArray[np.floating[Any]]

_WEIGHT_FILES = {"embedded/tiny": "embedded-tiny.safetensors"}

BASE_MODELS: tuple[str, ...] = tuple(_WEIGHT_FILES)
"""The names that `load_base_model` accepts."""


@frozen
class ModelShape:
    """The dimensions of a Llama-style decoder with RMS norm, rotary positions and SwiGLU.

    `hidden` and `feedforward` are widths, `rotary_base` is the base of the rotary wavelengths, and
    `max_context` the maximum number of tokens of one sequence, including the prompt.
    """

    vocabulary: int = 258
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    feedforward: int = 384
    max_context: int = 1024
    rotary_base: float = 10_000.0

    @property
    def head_width(self) -> int:
        return self.hidden // self.heads

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Every weight by its name in a transformers Llama checkpoint, with its shape."""
        table: dict[str, tuple[int, ...]] = {
            "model.embed_tokens.weight": (self.vocabulary, self.hidden),
            "model.norm.weight": (self.hidden,),
        }
        for layer in range(self.layers):
            for norm in ("input_layernorm", "post_attention_layernorm"):
                table[f"model.layers.{layer}.{norm}.weight"] = (self.hidden,)
        table |= {f"{module}.weight": shape for module, shape in self.matrices().items()}
        return table

    def matrices(self) -> dict[str, tuple[int, int]]:
        """Every linear map by module name, with its (out, in) shape."""
        wide, narrow = self.feedforward, self.hidden
        table: dict[str, tuple[int, int]] = {}
        for layer in range(self.layers):
            for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
                table[f"model.layers.{layer}.self_attn.{name}"] = (narrow, narrow)
            for name in ("gate_proj", "up_proj"):
                table[f"model.layers.{layer}.mlp.{name}"] = (wide, narrow)
            table[f"model.layers.{layer}.mlp.down_proj"] = (narrow, wide)
        table["lm_head"] = (self.vocabulary, self.hidden)
        return table


@frozen(eq=False)
class BaseModel:
    """A frozen model as the basis of fine-tuning. Its arrays are read-only."""

    name: str
    shape: ModelShape
    weights: Mapping[str, Array] = field(repr=False)

    @property
    def max_context(self) -> int:
        """Maximum number of tokens of one sequence, including the prompt."""
        return self.shape.max_context

    @property
    def vocabulary(self) -> int:
        """Number of token ids; valid ones are 0 to this minus one."""
        return self.shape.vocabulary

    @property
    def dtype(self) -> np.dtype[Any]:
        """The floating-point type of all computations."""
        return self.weights["model.norm.weight"].dtype


def build_base_model(name: str, shape: ModelShape, weights: Mapping[str, Array]) -> BaseModel:
    """Check the weights against the shape and make them read-only.

    Raises:
        ValueError: the weights don't fit the shape.
    """
    expected = shape.parameters()
    actual = {key: value.shape for key, value in weights.items()}
    if actual != expected:
        keys = sorted(actual.keys() | expected.keys())
        wrong = [key for key in keys if actual.get(key) != expected.get(key)]
        raise ValueError(f"weights of {name} don't fit its shape: {', '.join(wrong)}")
    for array in weights.values():
        array.setflags(write=False)
    return BaseModel(name, shape, dict(weights))


@cache
def load_base_model(name: str) -> BaseModel:
    """The base model with this name in float32, read once per process.

    Raises:
        KeyError: the name is not in `BASE_MODELS`.
    """
    packed = files("tinker_ext.embedded").joinpath("data", _WEIGHT_FILES[name]).read_bytes()
    weights = {key: value.astype(np.float32) for key, value in load(packed).items()}
    return build_base_model(name, ModelShape(), weights)


def random_weights(
    shape: ModelShape, seed: int, dtype: npt.DTypeLike = np.float32
) -> dict[str, Array]:
    """Initial weights: norms are one, matrices are normal with variance 1/in.

    Matrices that write to the residual stream are divided by the square root of twice the depth, so
    that the variance at the output doesn't grow with the number of layers (as in GPT-2).
    """
    generator = np.random.default_rng(seed)
    weights: dict[str, Array] = {}
    for name, size in shape.parameters().items():
        if len(size) == 1:
            weights[name] = np.ones(size, dtype)
            continue
        deviation = 1.0 / math.sqrt(size[1])
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            deviation /= math.sqrt(2 * shape.layers)
        weights[name] = (generator.standard_normal(size) * deviation).astype(dtype)
    return weights
