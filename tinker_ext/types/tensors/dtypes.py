"""The two tensor dtypes of the API, and the dtypes of the loss inputs."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

TensorDtype: TypeAlias = Literal["int64", "float32"]

#: The dtype of a plain list under each known key of ``loss_fn_inputs``.
#: Release 0.4.1 has the first six, release 0.38.0 adds ``sequence_ratio_mask``.
DTYPE_BY_KEY: Mapping[str, TensorDtype] = MappingProxyType(
    {
        "target_tokens": "int64",
        "weights": "float32",
        "advantages": "float32",
        "logprobs": "float32",
        "clip_low_threshold": "float32",
        "clip_high_threshold": "float32",
        "sequence_ratio_mask": "float32",
    }
)
