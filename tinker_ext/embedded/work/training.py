"""What requests on a model do. Everything made here runs on the training thread, one at a time."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext.embedded.checkpoints.files import Contents
from tinker_ext.embedded.checkpoints.names import BadNameError, CheckpointName, checked_name
from tinker_ext.embedded.store import CheckpointRecord, SamplerRecord
from tinker_ext.embedded.work import arrays
from tinker_ext.embedded.work.answers import UserFailureError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tinker_ext.embedded.checkpoints.files import CheckpointFiles
    from tinker_ext.embedded.checkpoints.names import CheckpointKind
    from tinker_ext.embedded.engine.model import BaseModel
    from tinker_ext.embedded.engine.trainer import LossOutput, Trainer
    from tinker_ext.embedded.store import CheckpointTable, RunRecord, RunTable, SamplerTable
    from tinker_ext.embedded.store.runs import LoraRecord
    from tinker_ext.embedded.work.arrays import LossInput
    from tinker_ext.embedded.work.model import Model
    from tinker_ext.embedded.work.models import Models

    Body = Mapping[str, Any]
    Answer = dict[str, Any]
    Act = Callable[[Model], Answer]

# The kind of loss_fn_outputs: one record of named arrays for each datum. The name is the one that
# clients of the protobuf protocol fall back to (tinker 0.38.0).
OUTPUT_TYPE = "ArrayRecord"

# Unlisted weights kept for the sampling sessions of one session, half a megabyte each at rank 8;
# the oldest go. Whoever needs more than these at once saves them under names.
KEPT_SAMPLERS = 64


@frozen
class Training:
    """Makes the work of each operation: a function of the model, for `Models.submit`."""

    runs: RunTable
    checkpoints: CheckpointTable
    samplers: SamplerTable
    files: CheckpointFiles
    models: Models

    def create_model(self, run: RunRecord) -> Act:
        def act(model: Model) -> Answer:
            model.unusable = "was never created"
            trainer = _new_trainer(run)
            self.runs.add(run)
            model.trainer = trainer
            return {"type": "create_model", "model_id": run.run_id}

        return act

    def unload_model(self) -> Act:
        def act(model: Model) -> Answer:
            model.trainer = None
            model.unusable = "was unloaded"
            return {"type": "unload_model", "model_id": model.run_id}

        return act

    def forward(self, given: LossInput | UserFailureError) -> Act:
        return lambda model: _computed(self._trainer(model).forward, given)

    def forward_backward(self, given: LossInput | UserFailureError) -> Act:
        return lambda model: _computed(self._trainer(model).forward_backward, given)

    def optim_step(self, adam_params: Body) -> Act:
        def act(model: Model) -> Answer:
            from tinker_ext.embedded.engine.adam import AdamSettings

            names = ("learning_rate", "beta1", "beta2", "eps")
            given = {name: float(adam_params[name]) for name in names if name in adam_params}
            return {"metrics": self._trainer(model).optim_step(AdamSettings(**given))}

        return act

    def save_weights(self, path: str | None, seq_id: int | None) -> Act:
        def act(model: Model) -> Answer:
            name = self._new_name(model, "weights", path, seq_id)
            state = self._trainer(model).state()
            run = self._run(model)
            saved = Contents(run.base_model, run.lora, state.adapter, state.optimizer, state.step)
            self._save(name, saved)
            return {"type": "save_weights", "path": name.path}

        return act

    def load_weights(self, path: str) -> Act:
        def act(model: Model) -> Answer:
            from tinker_ext.embedded.engine.trainer import TrainerState

            run = self._run(model)
            contents = self._read_training(path, run)
            trainer = model.trainer or _new_trainer(run)
            trainer.restore(TrainerState(contents.adapter, contents.optimizer or {}, contents.step))
            model.trainer = trainer
            return {"type": "load_weights", "path": path}

        return act

    def save_weights_for_sampler(
        self, path: str | None, sampling_session_id: str | None, seq_id: int | None
    ) -> Act:
        """Named weights, or unlisted ones for a sampling session, or both in one."""

        def act(model: Model) -> Answer:
            answer: Answer = {"type": "save_weights_for_sampler"}
            if path is not None or sampling_session_id is None:
                name = self._new_name(model, "sampler_weights", path, seq_id)
                self._save(name, self._sampler_contents(model))
                answer["path"] = name.path
            if sampling_session_id is not None:
                self._open_sampler(model, sampling_session_id, answer.get("path"))
                answer["sampling_session_id"] = sampling_session_id
            return answer

        return act

    def _trainer(self, model: Model) -> Trainer:
        if model.trainer is None:
            raise self.models.missing_trainer(model)
        trainer: Trainer = model.trainer
        return trainer

    def _run(self, model: Model) -> RunRecord:
        run = self.runs.get(model.run_id)
        if run is None:
            raise self.models.missing_trainer(model)
        return run

    def _new_name(
        self, model: Model, kind: CheckpointKind, path: str | None, seq_id: int | None
    ) -> CheckpointName:
        """The name asked for, or one made from the number; never one that is taken."""
        number = uuid.uuid4().hex[:8] if seq_id is None else f"{seq_id:06d}"
        try:
            text = checked_name(f"checkpoint-{number}" if path is None else path)
        except BadNameError as error:
            raise UserFailureError(f"path: {error}") from None
        name = CheckpointName(model.run_id, kind, text)
        if self.checkpoints.get(name) is not None:
            raise UserFailureError(
                f"path: {name.path} exists; take another name, or delete it before"
            )
        return name

    def _save(self, name: CheckpointName, contents: Contents) -> None:
        """Files first, then the row: what is listed is whole."""
        place = self.files.checkpoint(name.run_id, name.kind, name.name)
        size = self.files.write(place, contents, _peft_config(contents.base_model, contents.lora))
        self.checkpoints.add(CheckpointRecord(name, time.time(), size))

    def _sampler_contents(self, model: Model) -> Contents:
        adapter = self._trainer(model).adapter()
        run = self._run(model)
        return Contents(run.base_model, run.lora, adapter)

    def _open_sampler(self, model: Model, sampling_session_id: str, path: str | None) -> None:
        run = self._run(model)
        folder = None
        if path is None:
            folder = sampling_session_id.replace(":", "_")
            contents = self._sampler_contents(model)
            config = _peft_config(contents.base_model, contents.lora)
            self.files.write(self.files.sampler(folder), contents, config)
        self.samplers.add(
            SamplerRecord(
                sampling_session_id=sampling_session_id,
                session_id=run.session_id,
                base_model=run.base_model,
                model_path=path,
                folder=folder,
                created=time.time(),
            )
        )
        for dropped in self.samplers.drop_older_folders(run.session_id, KEPT_SAMPLERS):
            self.files.remove(self.files.sampler(dropped))

    def _read_training(self, path: str, run: RunRecord) -> Contents:
        try:
            name = CheckpointName.parse(path)
        except BadNameError as error:
            raise UserFailureError(f"path: {error}") from None
        if name.kind != "weights":
            raise UserFailureError(
                f"path: {path} holds weights to sample from; training goes on from "
                "tinker://RUN/weights/NAME, which save_weights makes"
            )
        if self.checkpoints.get(name) is None:
            raise UserFailureError(f"path: there is no checkpoint {path} here")
        place = self.files.checkpoint(name.run_id, name.kind, name.name)
        contents = self.files.read(place, optimizer=True)
        if contents.base_model != run.base_model:
            raise UserFailureError(
                f"path: {path} belongs to {contents.base_model}, this model to {run.base_model}"
            )
        return contents


def _computed(compute: Callable[..., LossOutput], given: LossInput | UserFailureError) -> Answer:
    if isinstance(given, UserFailureError):
        raise given
    output = compute(given.data, given.loss_fn, given.loss_fn_config)
    return {
        "loss_fn_output_type": OUTPUT_TYPE,
        "loss_fn_outputs": [
            {name: arrays.tensor_data(array) for name, array in record.items()}
            for record in output.outputs
        ],
        "metrics": output.metrics,
    }


def _base_model(name: str) -> BaseModel:
    from tinker_ext.embedded.engine.model import BASE_MODELS, load_base_model

    if name not in BASE_MODELS:
        known = ", ".join(BASE_MODELS)
        raise UserFailureError(f"base_model: there is no {name!r} here, only {known}")
    return load_base_model(name)


def _settings(lora: LoraRecord) -> Any:
    from attrs import asdict

    from tinker_ext.embedded.engine.lora import LoraSettings

    return LoraSettings(**asdict(lora))


def _new_trainer(run: RunRecord) -> Trainer:
    from tinker_ext.embedded.engine.trainer import Trainer

    return Trainer(_base_model(run.base_model), _settings(run.lora))


def _peft_config(base_model: str, lora: LoraRecord) -> dict[str, Any]:
    from tinker_ext.embedded.engine.lora import peft_config

    return peft_config(base_model, _settings(lora), _base_model(base_model).shape)
