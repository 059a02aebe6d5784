"""PEFT adapters that were not trained here, read from folders of this machine.

The path of a checkpoint may be the absolute path of a folder with ``adapter_config.json`` and
``adapter_model.safetensors``. The adapter is converted to this server's scale (`engine.lora`);
matrices that it lacks get a new adapter, which changes nothing until it is trained.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext.embedded.checkpoints.files import ADAPTER, ADAPTER_CONFIG, CheckpointContents
from tinker_ext.embedded.errors import UserFailureError
from tinker_ext.embedded.execution.base_models import base_model, lora_settings
from tinker_ext.embedded.store.records import LoraRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Settings of PEFT that change the meaning of the weights, and the only value supported.
_REQUIRED = {
    "peft_type": "LORA",
    "use_dora": False,
    "fan_in_fan_out": False,
    "rank_pattern": {},
    "alpha_pattern": {},
    "modules_to_save": None,
    "bias": "none",
}


@frozen
class OwnAdapters:
    """Reads adapters below a folder.

    Attributes:
        root: None if this server reads no adapters.
    """

    root: Path | None = None

    def matches(self, path: str) -> bool:
        """Whether a checkpoint path is one of an adapter's folder."""
        return os.path.isabs(path)

    def describe(self, path: str, base: str | None) -> tuple[str, LoraRecord]:
        """The base model and the settings of an adapter; `base` replaces the name in its files.

        Raises:
            UserFailureError: it can't be loaded; the message says why.
        """
        from tinker_ext.embedded.engine.model import BASE_MODELS

        config = _read_config(self._folder(path))
        name = base or config.get("base_model_name_or_path")
        if name not in BASE_MODELS:
            raise UserFailureError(
                f"path: {path} names the base model {name!r}; pass base_model, one of "
                f"{', '.join(BASE_MODELS)}"
            )
        names = _read_arrays(self._folder(path) / ADAPTER, shapes_only=True)
        return name, LoraRecord(
            rank=int(config["r"]),
            train_attn=any(".self_attn." in key for key in names),
            train_mlp=any(".mlp." in key for key in names),
            train_unembed=any("lm_head" in key for key in names),
        )

    def read(self, path: str, base: str) -> CheckpointContents:
        """An adapter as a checkpoint without an optimizer.

        Raises:
            UserFailureError: it can't be loaded; the message says why.
        """
        from tinker_ext.embedded.engine.errors import EngineInputError
        from tinker_ext.embedded.engine.lora import LORA_B_SUFFIX, initial_adapter

        _, lora = self.describe(path, base)
        config = _read_config(self._folder(path))
        try:
            arrays = initial_adapter(base_model(base), lora_settings(lora))
        except EngineInputError as error:
            raise UserFailureError(f"path: {path}: {error}") from None
        factor = _factor(config)
        for name, array in _read_arrays(self._folder(path) / ADAPTER).items():
            if name not in arrays:
                raise UserFailureError(f"path: {path} has {name}, which {base} does not have")
            if array.shape != arrays[name].shape:
                raise UserFailureError(
                    f"path: {name} of {path} has shape {list(array.shape)}, expected "
                    f"{list(arrays[name].shape)}"
                )
            scaled = array * factor if name.endswith(LORA_B_SUFFIX) else array
            arrays[name] = scaled.astype(arrays[name].dtype)
        return CheckpointContents(base_model=base, lora=lora, adapter=arrays)

    def _folder(self, path: str) -> Path:
        if self.root is None:
            raise UserFailureError(
                f"path: this server reads no adapters from its disk, and {path} is not a "
                "checkpoint path; start it with --adapters and the folder that contains them"
            )
        folder = Path(path).resolve()
        if not folder.is_relative_to(self.root.resolve()):
            raise UserFailureError(f"path: {path} is not in the folder of --adapters")
        for name in (ADAPTER_CONFIG, ADAPTER):
            if not (folder / name).is_file():
                raise UserFailureError(f"path: {path} is not a PEFT adapter: it has no {name}")
        return folder


def _read_config(folder: Path) -> Mapping[str, Any]:
    try:
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    except ValueError:
        config = None
    if not isinstance(config, dict) or type(config.get("r")) is not int:
        raise UserFailureError(f"path: {ADAPTER_CONFIG} of {folder} has no rank `r`")
    for name, expected in _REQUIRED.items():
        if (config.get(name) or expected) != expected:
            raise UserFailureError(
                f"path: {folder} has {name}={config[name]!r}; only {expected!r} is supported"
            )
    return config


def _read_arrays(file: Path, *, shapes_only: bool = False) -> dict[str, Any]:
    """The arrays of an adapter, or only their names with None as values."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            names = list(opened.keys())
            return {name: None if shapes_only else opened.get_tensor(name) for name in names}
    except (SafetensorError, TypeError) as error:  # TypeError: numpy has no bfloat16.
        raise UserFailureError(f"path: {file} can't be read: {error}") from None


def _factor(config: Mapping[str, Any]) -> float:
    """The ratio of the adapter's scale to this server's."""
    from tinker_ext.embedded.engine.lora import LORA_ALPHA

    rank = int(config["r"])
    alpha = float(config.get("lora_alpha") or rank)
    divisor = math.sqrt(rank) if config.get("use_rslora") else float(rank)
    return alpha / divisor / (LORA_ALPHA / float(rank))
