"""The state and workers of one server, based on one state folder."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tinker_ext.embedded.checkpoints.archive import ArchiveSigner
from tinker_ext.embedded.checkpoints.files import CheckpointFiles
from tinker_ext.embedded.execution.own_adapters import OwnAdapters
from tinker_ext.embedded.execution.results import ResultStore
from tinker_ext.embedded.execution.sampling import Sampler
from tinker_ext.embedded.execution.saving import CheckpointSaver
from tinker_ext.embedded.execution.scheduler import MAX_LOADED, MISSING_SEQ_TIMEOUT, ModelScheduler
from tinker_ext.embedded.execution.training import Training
from tinker_ext.embedded.request_body import BodyBudget
from tinker_ext.embedded.state_folder import FolderLock, make_state_folder
from tinker_ext.embedded.store import (
    CheckpointTable,
    Database,
    RequestTable,
    RunTable,
    SamplerTable,
    SessionTable,
)
from tinker_ext.embedded.tokens import Tokens
from tinker_ext.private_files import write_backend_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tinker_ext.redaction.secret import Secret

logger = logging.getLogger("tinker_ext.embedded")

# Seconds after which retrieve_future responds with "try again". The official client's timeout is
# 45 s (tinker 0.4.1, lib/api_future_impl.py).
POLL_SECONDS = 20.0


class Backend:
    """One server's state and workers, used on one event loop.

    There is one thread for training and one for sampling, regardless of the number of models: the
    autograd library records operations in global state, so concurrent recordings would corrupt each
    other. The queues of `models` and `sampler` provide order and fairness.

    With `jwt_lifetime`, clients must exchange their key for a token that is valid for this number
    of seconds. `flags` are sent to clients in `client/config` and `client/dynamic_config`. With a
    `key`, clients must send it. They may load PEFT adapters from below the folder `adapters`.

    Raises:
        OSError: the folder can't be created or written to.
        RuntimeError: another server uses the folder, or its database can't be read.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        missing_seq_timeout: float = MISSING_SEQ_TIMEOUT,
        poll_seconds: float = POLL_SECONDS,
        max_loaded: int = MAX_LOADED,
        jwt_lifetime: float | None = None,
        flags: Mapping[str, Any] | None = None,
        key: Secret | None = None,
        adapters: Path | None = None,
    ) -> None:
        make_state_folder(state_dir)
        self.poll_seconds = poll_seconds
        self.flags = dict(flags or {})
        self.body_budget = BodyBudget()
        self._lock = FolderLock(state_dir)
        self.files = CheckpointFiles(state_dir)
        self.files.free_space()  # opening the database may need it
        self._database = Database(state_dir / "state.sqlite3")
        self.sessions = SessionTable(self._database)
        self.runs = RunTable(self._database)
        self.requests = RequestTable(self._database)
        self.checkpoints = CheckpointTable(self._database)
        self.samplers = SamplerTable(self._database)
        self.saving = CheckpointSaver(self.checkpoints, self.files)
        self.signer = ArchiveSigner(self._database.secret("archives", secrets.token_bytes(32)))
        self.tokens = Tokens(
            self._database.secret("tokens", secrets.token_bytes(32)), lifetime=jwt_lifetime, key=key
        )
        self.results = ResultStore()
        self._training_thread = ThreadPoolExecutor(1, "training")
        self._sampling_thread = ThreadPoolExecutor(1, "sampling")
        self.models = ModelScheduler(
            runs=self.runs,
            requests=self.requests,
            checkpoints=self.checkpoints,
            results=self.results,
            thread=self._training_thread,
            missing_seq_timeout=missing_seq_timeout,
            max_loaded=max_loaded,
        )
        self.sampler = Sampler(files=self.files, results=self.results, thread=self._sampling_thread)
        self.training = Training(
            runs=self.runs,
            samplers=self.samplers,
            saving=self.saving,
            models=self.models,
            own_adapters=OwnAdapters(adapters),
        )
        self._clean_up()
        self.files.create_reserve()
        if key is not None:
            self._write_key(state_dir, key)
        self._training_thread.submit(_import_engine)

    async def close(self) -> None:
        """Finish running work, drop queued work and release the folder."""
        self.models.stop()
        self.sampler.stop()
        for thread in (self._training_thread, self._sampling_thread):
            thread.shutdown(wait=False, cancel_futures=True)
        await asyncio.gather(self.models.stopped(), self.sampler.stopped())
        for thread in (self._training_thread, self._sampling_thread):
            await asyncio.to_thread(thread.shutdown)
        self._database.close()
        self._lock.release()

    def _write_key(self, state_dir: Path, key: Secret) -> None:
        """Write the key file, for other processes of the same user."""
        try:
            write_backend_key(state_dir, key)
        except OSError as error:
            logger.warning(
                "can't write the key file, so other processes can't use this server: %s", error
            )

    def _clean_up(self) -> None:
        """After a crash: delete unlisted files, and rows whose files are missing."""
        try:
            self._reconcile_checkpoints()
        except sqlite3.Error as error:
            logger.warning("the list of checkpoints was not cleaned up: %s", error)

    def _reconcile_checkpoints(self) -> None:
        self.saving.remove_expired()
        listed = []
        for record in self.checkpoints.all():
            name = record.name
            folder = self.files.checkpoint(name.run_id, name.kind, name.name)
            if folder.is_dir():
                listed.append(folder)
            else:
                logger.warning("%s is not on the disk any more: removed from the list", name.path)
                self.checkpoints.remove(name)
        listed += [self.files.sampler(name) for name in self.samplers.folders()]
        self.files.delete_unlisted(listed)


def _import_engine() -> None:
    """Import the engine and load the base models in advance of the first request."""
    from tinker_ext.embedded.engine import generate, scoring, trainer  # noqa: F401
    from tinker_ext.embedded.engine.model import BASE_MODELS, load_base_model

    for name in BASE_MODELS:
        load_base_model(name)
