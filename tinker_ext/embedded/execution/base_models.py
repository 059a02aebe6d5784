"""What there is to train: the engine's base models, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.embedded.execution.answers import UserFailureError

if TYPE_CHECKING:
    from tinker_ext.embedded.engine.lora import LoraSettings
    from tinker_ext.embedded.engine.model import BaseModel
    from tinker_ext.embedded.engine.trainer import Trainer
    from tinker_ext.embedded.store import RunRecord
    from tinker_ext.embedded.store.runs import LoraRecord


def base_model(name: str) -> BaseModel:
    """The base model of that name.

    Raises:
        UserFailureError: there is none.
    """
    from tinker_ext.embedded.engine.model import BASE_MODELS, load_base_model

    if name not in BASE_MODELS:
        known = ", ".join(BASE_MODELS)
        raise UserFailureError(f"base_model: there is no {name!r} here, only {known}")
    return load_base_model(name)


def new_trainer(run: RunRecord) -> Trainer:
    """An adapter that has learned nothing yet."""
    from tinker_ext.embedded.engine.trainer import Trainer

    return Trainer(base_model(run.base_model), settings_of(run.lora))


def settings_of(lora: LoraRecord) -> LoraSettings:
    """The engine's words for how an adapter is made."""
    from attrs import asdict

    from tinker_ext.embedded.engine.lora import LoraSettings

    return LoraSettings(**asdict(lora))
