"""Everything one server consists of, put together around one state folder."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tinker_ext.backend_key import write_key
from tinker_ext.embedded.checkpoints.archive import ArchiveSigner
from tinker_ext.embedded.checkpoints.files import CheckpointFiles
from tinker_ext.embedded.execution.models import MAX_LOADED, MISSING_SEQ_TIMEOUT, ModelScheduler
from tinker_ext.embedded.execution.results import ResultStore
from tinker_ext.embedded.execution.sampling import Sampler
from tinker_ext.embedded.execution.saving import Saving
from tinker_ext.embedded.execution.training import Training
from tinker_ext.embedded.request_body import BodyBudget
from tinker_ext.embedded.store import (
    CheckpointTable,
    Database,
    RequestTable,
    RunTable,
    SamplerTable,
    SessionTable,
)
from tinker_ext.embedded.store.folder import make_state_folder
from tinker_ext.embedded.store.lock import FolderLock
from tinker_ext.embedded.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tinker_ext.redaction.secret import Secret

logger = logging.getLogger("tinker_ext.embedded")

# How long one retrieve_future is held before it is answered with "try again". The official client
# gives up on an answer after 45 s (tinker 0.4.1, lib/api_future_impl.py).
POLL_SECONDS = 20.0


class Backend:
    """One server's state and workers. Used on one event loop, from the first request on.

    Training has one thread and sampling another, whatever the number of models: the autograd
    library keeps its record of operations in one place per process, so two recordings at once
    would get into each other's way. Order and fairness come from the queues in front.

    With `jwt_life` clients must exchange their key for a token, which lives as many seconds.
    `flags` are announced to clients, those of `client/config` and of `client/dynamic_config`. With
    a `key`, clients must send it.

    Raises:
        OSError: the folder can't be made or written to.
        RuntimeError: another server uses the folder, or what it holds cannot be read.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        gap_seconds: float = MISSING_SEQ_TIMEOUT,
        poll_seconds: float = POLL_SECONDS,
        max_loaded: int = MAX_LOADED,
        jwt_life: float | None = None,
        flags: Mapping[str, Any] | None = None,
        key: Secret | None = None,
    ) -> None:
        make_state_folder(state_dir)
        self.poll_seconds = poll_seconds
        self.flags = dict(flags or {})
        self.bodies = BodyBudget()
        self._lock = FolderLock(state_dir)
        self.files = CheckpointFiles(state_dir)
        self.files.make_room()  # before the database is opened, which may need it
        self._database = Database(state_dir / "state.sqlite3")
        self.sessions = SessionTable(self._database)
        self.runs = RunTable(self._database)
        self.requests = RequestTable(self._database)
        self.checkpoints = CheckpointTable(self._database)
        self.samplers = SamplerTable(self._database)
        self.saving = Saving(self.checkpoints, self.files)
        self.signer = ArchiveSigner(self._database.secret("archives", secrets.token_bytes(32)))
        self.tokens = Tokens(
            self._database.secret("tokens", secrets.token_bytes(32)), life=jwt_life, key=key
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
            gap_seconds=gap_seconds,
            max_loaded=max_loaded,
        )
        self.sampler = Sampler(files=self.files, results=self.results, thread=self._sampling_thread)
        self.training = Training(
            runs=self.runs, samplers=self.samplers, saving=self.saving, models=self.models
        )
        self._tidy()
        self.files.keep_reserve()
        if key is not None:
            self._leave_key(state_dir, key)
        self._training_thread.submit(_import_engine)

    async def close(self) -> None:
        """Finish what is being computed, drop what only waits, let go of the folder."""
        self.models.stop()
        self.sampler.stop()
        for thread in (self._training_thread, self._sampling_thread):
            thread.shutdown(wait=False, cancel_futures=True)
        await asyncio.gather(self.models.stopped(), self.sampler.stopped())
        for thread in (self._training_thread, self._sampling_thread):
            await asyncio.to_thread(thread.shutdown)
        self._database.close()
        self._lock.release()

    def _leave_key(self, state_dir: Path, key: Secret) -> None:
        """Write the key down for other processes of the same user."""
        try:
            write_key(state_dir, key)
        except OSError as error:
            logger.warning("other processes can't use this server: no key file (%s)", error)

    def _tidy(self) -> None:
        """After a sudden end: forget files that are not listed, and rows whose files are gone."""
        try:
            self._forget_missing()
        except sqlite3.Error as error:
            logger.warning("the list of checkpoints was not tidied up: %s", error)

    def _forget_missing(self) -> None:
        self.saving.sweep_expired()
        kept = []
        for record in self.checkpoints.all():
            name = record.name
            place = self.files.checkpoint(name.run_id, name.kind, name.name)
            if place.is_dir():
                kept.append(place)
            else:
                logger.warning("%s is gone from the disk, and from the list now", name.path)
                self.checkpoints.remove(name)
        kept += [self.files.sampler(folder) for folder in self.samplers.folders()]
        self.files.sweep(kept)


def _import_engine() -> None:
    """Load numpy, the engine and the base models, so that the first request does not wait."""
    from tinker_ext.embedded.engine import generate, scoring, trainer  # noqa: F401
    from tinker_ext.embedded.engine.model import BASE_MODELS, load_base_model

    for name in BASE_MODELS:
        load_base_model(name)
