"""The operations on a model, which run on the training thread, one at a time."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext.embedded.checkpoints.files import CheckpointContents
from tinker_ext.embedded.checkpoints.names import BadNameError, CheckpointName
from tinker_ext.embedded.errors import UserFailureError
from tinker_ext.embedded.execution.arrays import to_tensor_data
from tinker_ext.embedded.execution.base_models import new_trainer
from tinker_ext.embedded.execution.saving import peft_config_of
from tinker_ext.embedded.store import SamplerRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from tinker_ext.embedded.engine.trainer import LossOutput, Trainer, TrainerState
    from tinker_ext.embedded.execution.arrays import LossInput
    from tinker_ext.embedded.execution.own_adapters import OwnAdapters
    from tinker_ext.embedded.execution.saving import CheckpointSaver, SaveRequest
    from tinker_ext.embedded.execution.scheduler import Model, ModelScheduler
    from tinker_ext.embedded.store import RunRecord, RunTable, SamplerTable

    Result = dict[str, Any]
    Operation = Callable[[Model], Result]

# The kind of loss_fn_outputs: one record of named arrays per datum. The name is the default of
# clients of the protobuf protocol (tinker 0.38.0).
OUTPUT_TYPE = "ArrayRecord"

# Unlisted weights kept per session, half a megabyte each at rank 8; the oldest are deleted. Weights
# saved under a name are not limited.
KEPT_SAMPLERS = 64


@frozen
class Training:
    """Creates operations for `ModelScheduler.submit`: functions that take the model."""

    runs: RunTable
    samplers: SamplerTable
    saving: CheckpointSaver
    models: ModelScheduler
    own_adapters: OwnAdapters

    def create_model(self, run: RunRecord) -> Operation:
        def operation(model: Model) -> Result:
            model.unusable = "was never created"
            trainer = new_trainer(run)
            self.runs.add(run)
            model.trainer = trainer
            return {"type": "create_model", "model_id": run.run_id}

        return operation

    def unload_model(self) -> Operation:
        def operation(model: Model) -> Result:
            model.trainer = None
            model.unusable = "was unloaded"
            return {"type": "unload_model", "model_id": model.run_id}

        return operation

    def forward(self, loss_input: LossInput | UserFailureError) -> Operation:
        return lambda model: _compute(self._trainer(model).forward, loss_input)

    def forward_backward(self, loss_input: LossInput | UserFailureError) -> Operation:
        return lambda model: _compute(self._trainer(model).forward_backward, loss_input)

    def optim_step(self, settings: Mapping[str, float]) -> Operation:
        def operation(model: Model) -> Result:
            from tinker_ext.embedded.engine.adam import AdamSettings

            return {"metrics": self._trainer(model).optim_step(AdamSettings(**settings))}

        return operation

    def save_weights(self, request: SaveRequest) -> Operation:
        def operation(model: Model) -> Result:
            name = self.saving.choose_name(model.run_id, "weights", request)
            state = self._trainer(model).state()
            run = self._run(model)
            contents = CheckpointContents(
                run.base_model, run.lora, state.adapter, state.optimizer, state.step
            )
            self.saving.save(name, contents, request)
            return {"type": "save_weights", "path": name.path}

        return operation

    def load_weights(self, path: str, *, optimizer: bool) -> Operation:
        """Load a checkpoint; without `optimizer`, the optimizer is reset."""

        def operation(model: Model) -> Result:
            run = self._run(model)
            contents = self._read_training(path, run)
            trainer = model.trainer or new_trainer(run)
            trainer.restore(_state(contents, optimizer=optimizer))
            model.trainer = trainer
            return {"type": "load_weights", "path": path}

        return operation

    def create_from_weights(self, run: RunRecord, path: str, *, optimizer: bool) -> Operation:
        """Create a model that continues from a checkpoint."""

        def operation(model: Model) -> Result:
            model.unusable = "was never created"
            contents = self._read_training(path, run)
            trainer = new_trainer(run)
            trainer.restore(_state(contents, optimizer=optimizer))
            self.runs.add(run)
            model.trainer = trainer
            return {"type": "load_weights", "path": path, "model_id": run.run_id}

        return operation

    def save_weights_for_sampler(
        self, request: SaveRequest, sampling_session_id: str | None
    ) -> Operation:
        """Save named weights, or unlisted ones for a sampling session, or both."""

        def operation(model: Model) -> Result:
            result: Result = {"type": "save_weights_for_sampler"}
            if request.path is not None or sampling_session_id is None:
                name = self.saving.choose_name(model.run_id, "sampler_weights", request)
                self.saving.save(name, self._sampler_contents(model), request)
                result["path"] = name.path
            if sampling_session_id is not None:
                self._open_sampler(model, sampling_session_id, result.get("path"))
                result["sampling_session_id"] = sampling_session_id
            return result

        return operation

    def save_weights_external(self, request: SaveRequest) -> Operation:
        def operation(model: Model) -> Result:
            name = self.saving.choose_name(model.run_id, "external_weights", request)
            size = self.saving.save(name, self._sampler_contents(model), request)
            return {"type": "save_weights_external", "path": name.path, "size_bytes": size}

        return operation

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

    def _sampler_contents(self, model: Model) -> CheckpointContents:
        adapter = self._trainer(model).adapter()
        run = self._run(model)
        return CheckpointContents(run.base_model, run.lora, adapter)

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
        for expired in self.samplers.expire_older_folders(run.session_id, KEPT_SAMPLERS):
            self.saving.files.remove(self.saving.files.sampler(expired))

    def _unlisted_weights(
        self, model: Model, folder: str | None
    ) -> AbstractContextManager[int | None]:
        """Write the weights to a sampler's folder, if it has one, and keep them on success."""
        if folder is None:
            return nullcontext()
        contents, files = self._sampler_contents(model), self.saving.files
        return files.writing(files.sampler(folder), contents, peft_config_of(contents))

    def _read_training(self, path: str, run: RunRecord) -> CheckpointContents:
        if self.own_adapters.matches(path):
            return self.own_adapters.read(path, run.base_model)
        try:
            name = CheckpointName.parse(path)
        except BadNameError as error:
            raise UserFailureError(f"path: {error}") from None
        if name.kind != "weights":
            raise UserFailureError(
                f"path: {path} is a sampler checkpoint; training continues from "
                "tinker://RUN/weights/NAME, which save_state creates"
            )
        if self.saving.checkpoints.get(name) is None:
            raise UserFailureError(f"path: there is no checkpoint {path} on this server")
        contents = self.saving.files.read(self.saving.folder(name), optimizer=True)
        if contents.base_model != run.base_model:
            raise UserFailureError(
                f"path: {path} has base model {contents.base_model}, "
                f"this model has {run.base_model}"
            )
        return contents


def _compute(
    compute: Callable[..., LossOutput], loss_input: LossInput | UserFailureError
) -> Result:
    if isinstance(loss_input, UserFailureError):
        raise loss_input
    output = compute(loss_input.data, loss_input.loss_fn, loss_input.loss_fn_config)
    return {
        "loss_fn_output_type": OUTPUT_TYPE,
        "loss_fn_outputs": [
            {name: to_tensor_data(array) for name, array in record.items()}
            for record in output.outputs
        ],
        "metrics": output.metrics,
    }


def _state(contents: CheckpointContents, *, optimizer: bool) -> TrainerState:
    from tinker_ext.embedded.engine.trainer import TrainerState

    if not optimizer:
        return TrainerState(contents.adapter)
    return TrainerState(contents.adapter, contents.optimizer or {}, contents.step)
