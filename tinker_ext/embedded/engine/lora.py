"""Low-rank adapters: target matrices, initialization, application and names.

For a frozen (out, in) matrix W, an adapter is A (rank, in) and B (out, rank), and the map becomes
``W + (LORA_ALPHA / rank) * B @ A`` (arXiv:2106.09685). Names and layout are those of a PEFT
checkpoint, ``base_model.model.<module>.lora_A.weight``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
from attrs import frozen

from tinker_ext.embedded.engine import ops
from tinker_ext.embedded.engine.errors import EngineInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from tinker_ext.embedded.engine.model import BaseModel, ModelShape
    from tinker_ext.embedded.engine.transformer import Project

    Array = npt.NDArray[np.floating[Any]]

LORA_ALPHA = 8
"""Numerator of the scale. A constant rather than a multiple of the rank, so that one learning rate
suits every rank ("LoRA Without Regret", Thinking Machines Lab, 2025, which uses 32 for models of
billions of weights; 8 suits learning rates of about 1e-2 for a model of one million)."""

MAX_RANK = 128
"""Largest rank: the width of the smallest matrix, beyond which a higher rank has no effect."""

_PREFIX = "base_model.model."
LORA_A_SUFFIX = ".lora_A.weight"
LORA_B_SUFFIX = ".lora_B.weight"


@frozen(kw_only=True)
class LoraSettings:
    """Which matrices a run trains, and how.

    `seed` determines the initial adapter (None: random); the three flags select the attention (q,
    k, v, o), feed-forward (gate, up, down) and output (lm_head) matrices.

    Raises:
        EngineInputError: the rank is out of range, or no matrix is selected.
    """

    rank: int = 32
    seed: int | None = None
    train_attn: bool = True
    train_mlp: bool = True
    train_unembed: bool = True

    def __attrs_post_init__(self) -> None:
        if not 1 <= self.rank <= MAX_RANK:
            raise EngineInputError(
                f"the rank must be from 1 to {MAX_RANK}, got {self.rank}", where="lora_config.rank"
            )
        if not (self.train_attn or self.train_mlp or self.train_unembed):
            raise EngineInputError(
                "at least one of train_attn, train_mlp and train_unembed must be true",
                where="lora_config",
            )


def target_modules(shape: ModelShape, settings: LoraSettings) -> dict[str, tuple[int, int]]:
    """The modules that get an adapter, with their (out, in) shapes."""

    def is_target(module: str) -> bool:
        if ".self_attn." in module:
            return settings.train_attn
        if ".mlp." in module:
            return settings.train_mlp
        return settings.train_unembed

    return {module: size for module, size in shape.matrices().items() if is_target(module)}


def name_a(module: str) -> str:
    """Checkpoint name of a module's A, shape (rank, in)."""
    return f"{_PREFIX}{module}{LORA_A_SUFFIX}"


def name_b(module: str) -> str:
    """Checkpoint name of a module's B, shape (out, rank)."""
    return f"{_PREFIX}{module}{LORA_B_SUFFIX}"


def initial_adapter(base: BaseModel, settings: LoraSettings) -> dict[str, Array]:
    """A is uniform within 1/sqrt(in) (PEFT's default), B is zero, so the model is unchanged.

    With a seed, the initial values of a matrix don't depend on which others are trained.
    """
    root = np.random.SeedSequence().entropy if settings.seed is None else settings.seed
    adapter: dict[str, Array] = {}
    for module, (out, width) in target_modules(base.shape, settings).items():
        generator = np.random.default_rng([_unsigned(root), crc32(module.encode())])
        bound = 1.0 / math.sqrt(width)
        start = generator.uniform(-bound, bound, (settings.rank, width))
        adapter[name_a(module)] = start.astype(base.dtype)
        adapter[name_b(module)] = np.zeros((out, settings.rank), base.dtype)
    return adapter


def _unsigned(seed: Any) -> int:
    """Convert a seed to a non-negative integer: negative seeds wrap at 64 bits."""
    return int(seed) if int(seed) >= 0 else int(seed) % 2**64


def adapted_projection(weights: Mapping[str, Array], adapter: Mapping[str, Array]) -> Project:
    """Linear maps with their adapters applied separately, recorded for the adapter's gradients."""

    def project(x: Array, module: str) -> Array:
        y = ops.linear(x, weights[f"{module}.weight"])
        if name_a(module) not in adapter:
            return y
        a, b = adapter[name_a(module)], adapter[name_b(module)]
        return y + ops.linear(ops.linear(x, a), b) * _scale(a)

    return project


def merged_weights(base: BaseModel, adapter: Mapping[str, Array]) -> dict[str, Array]:
    """The base weights plus the adapter: the same function at the speed of the base model."""
    weights = dict(base.weights)
    for module in base.shape.matrices():
        if name_a(module) in adapter:
            a, b = adapter[name_a(module)], adapter[name_b(module)]
            weights[f"{module}.weight"] = weights[f"{module}.weight"] + (b @ a) * _scale(a)
    return weights


def _scale(a: Array) -> float:
    rank: int = a.shape[0]
    return LORA_ALPHA / rank


def peft_config(base_model: str, settings: LoraSettings, shape: ModelShape) -> dict[str, Any]:
    """The content of `adapter_config.json` beside a saved adapter."""
    modules = {module.rsplit(".", 1)[-1] for module in target_modules(shape, settings)}
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "r": settings.rank,
        "lora_alpha": LORA_ALPHA,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted(modules),
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "inference_mode": True,
    }
