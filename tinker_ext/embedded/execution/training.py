"""What requests on a model do. Everything made here runs on the training thread, one at a time."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext.embedded.checkpoints.files import Contents
from tinker_ext.embedded.checkpoints.names import BadNameError, CheckpointName
from tinker_ext.embedded.execution import arrays
from tinker_ext.embedded.execution.answers import UserFailureError
from tinker_ext.embedded.execution.base_models import new_trainer
from tinker_ext.embedded.execution.saving import peft_config_of
from tinker_ext.embedded.store import SamplerRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from tinker_ext.embedded.engine.trainer import LossOutput, Trainer, TrainerState
    from tinker_ext.embedded.execution.arrays import LossInput
    from tinker_ext.embedded.execution.model import Model
    from tinker_ext.embedded.execution.models import ModelScheduler
    from tinker_ext.embedded.execution.saving import SaveRequest, Saving
    from tinker_ext.embedded.store import RunRecord, RunTable, SamplerTable

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
    samplers: SamplerTable
    saving: Saving
    models: ModelScheduler

    def create_model(self, run: RunRecord) -> Act:
        def act(model: Model) -> Answer:
            model.unusable = "was never created"
            trainer = new_trainer(run)
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

    def optim_step(self, settings: Mapping[str, float]) -> Act:
        def act(model: Model) -> Answer:
            from tinker_ext.embedded.engine.adam import AdamSettings

            return {"metrics": self._trainer(model).optim_step(AdamSettings(**settings))}

        return act

    def save_weights(self, wish: SaveRequest) -> Act:
        def act(model: Model) -> Answer:
            name = self.saving.free_name(model.run_id, "weights", wish)
            state = self._trainer(model).state()
            run = self._run(model)
            saved = Contents(run.base_model, run.lora, state.adapter, state.optimizer, state.step)
            self.saving.save(name, saved, wish)
            return {"type": "save_weights", "path": name.path}

        return act

    def load_weights(self, path: str, *, optimizer: bool) -> Act:
        """Go on from a checkpoint; without `optimizer`, with one that starts anew."""

        def act(model: Model) -> Answer:
            run = self._run(model)
            contents = self._read_training(path, run)
            trainer = model.trainer or new_trainer(run)
            trainer.restore(_state(contents, optimizer=optimizer))
            model.trainer = trainer
            return {"type": "load_weights", "path": path}

        return act

    def create_from_weights(self, run: RunRecord, path: str, *, optimizer: bool) -> Act:
        """A new model that goes on from a checkpoint."""

        def act(model: Model) -> Answer:
            model.unusable = "was never created"
            contents = self._read_training(path, run)
            trainer = new_trainer(run)
            trainer.restore(_state(contents, optimizer=optimizer))
            self.runs.add(run)
            model.trainer = trainer
            return {"type": "load_weights", "path": path, "model_id": run.run_id}

        return act

    def save_weights_for_sampler(self, wish: SaveRequest, sampling_session_id: str | None) -> Act:
        """Named weights, or unlisted ones for a sampling session, or both in one."""

        def act(model: Model) -> Answer:
            answer: Answer = {"type": "save_weights_for_sampler"}
            if wish.path is not None or sampling_session_id is None:
                name = self.saving.free_name(model.run_id, "sampler_weights", wish)
                self.saving.save(name, self._sampler_contents(model), wish)
                answer["path"] = name.path
            if sampling_session_id is not None:
                self._open_sampler(model, sampling_session_id, answer.get("path"))
                answer["sampling_session_id"] = sampling_session_id
            return answer

        return act

    def save_weights_external(self, wish: SaveRequest) -> Act:
        def act(model: Model) -> Answer:
            name = self.saving.free_name(model.run_id, "external_weights", wish)
            size = self.saving.save(name, self._sampler_contents(model), wish)
            return {"type": "save_weights_external", "path": name.path, "size_bytes": size}

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

    def _sampler_contents(self, model: Model) -> Contents:
        adapter = self._trainer(model).adapter()
        run = self._run(model)
        return Contents(run.base_model, run.lora, adapter)

    def _open_sampler(self, model: Model, sampling_session_id: str, path: str | None) -> None:
        run = self._run(model)
        folder = None
        if path is None:
            folder = sampling_session_id.replace(":", "_")
        record = SamplerRecord(
            sampling_session_id=sampling_session_id,
            session_id=run.session_id,
            base_model=run.base_model,
            model_path=path,
            folder=folder,
            created=time.time(),
        )
        with self._unlisted_weights(model, folder):
            self.samplers.add(record)
        for dropped in self.samplers.drop_older_folders(run.session_id, KEPT_SAMPLERS):
            self.saving.files.remove(self.saving.files.sampler(dropped))

    def _unlisted_weights(
        self, model: Model, folder: str | None
    ) -> AbstractContextManager[int | None]:
        """The weights in a sampler's folder, if it has one, written for as long as all succeeds."""
        if folder is None:
            return nullcontext()
        contents, files = self._sampler_contents(model), self.saving.files
        return files.written(files.sampler(folder), contents, peft_config_of(contents))

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
        if self.saving.checkpoints.get(name) is None:
            raise UserFailureError(f"path: there is no checkpoint {path} here")
        contents = self.saving.files.read(self.saving.place(name), optimizer=True)
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


def _state(contents: Contents, *, optimizer: bool) -> TrainerState:
    from tinker_ext.embedded.engine.trainer import TrainerState

    if not optimizer:
        return TrainerState(contents.adapter)
    return TrainerState(contents.adapter, contents.optimizer or {}, contents.step)
