"""The engine's base models, and new adapters for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.embedded.errors import UserFailureError

if TYPE_CHECKING:
    from tinker_ext.embedded.engine.lora import LoraSettings
    from tinker_ext.embedded.engine.model import BaseModel
    from tinker_ext.embedded.engine.trainer import Trainer
    from tinker_ext.embedded.store import LoraRecord, RunRecord


def base_model(name: str) -> BaseModel:
    """The base model with this name.

    Raises:
        UserFailureError: the name is unknown.
    """
    from tinker_ext.embedded.engine.model import BASE_MODELS, load_base_model

    if name not in BASE_MODELS:
        known = ", ".join(BASE_MODELS)
        raise UserFailureError(f"base_model: unknown model {name!r}; this server has {known}")
    return load_base_model(name)


def new_trainer(run: RunRecord) -> Trainer:
    """A trainer with a new adapter."""
    from tinker_ext.embedded.engine.trainer import Trainer

    return Trainer(base_model(run.base_model), lora_settings(run.lora))


def lora_settings(lora: LoraRecord) -> LoraSettings:
    """The settings of an adapter, as the engine's class."""
    from attrs import asdict

    from tinker_ext.embedded.engine.lora import LoraSettings

    return LoraSettings(**asdict(lora))
