"""A fake service with lists of runs and checkpoints, for tests of commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

from attrs import define, evolve, field

from tinker_ext import ServiceClient, types
from tinker_ext.cli.context import CommandContext
from tinker_ext.errors import NotFoundError
from tinker_ext.protocol.server_protocol import BASELINE, ServerProtocol

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make_checkpoint(run: str = "run-1", name: str = "0001", **changes: Any) -> types.Checkpoint:
    checkpoint = types.Checkpoint(
        checkpoint_id=f"weights/{name}",
        checkpoint_type="training",
        time=CREATED,
        tinker_path=f"tinker://{run}/weights/{name}",
        size_bytes=1_500_000,
    )
    return evolve(checkpoint, **changes)


def make_run(run: str = "run-1", **changes: Any) -> types.TrainingRun:
    training_run = types.TrainingRun(
        training_run_id=run,
        base_model="embedded/tiny",
        model_owner="me",
        is_lora=True,
        lora_rank=8,
        last_request_time=CREATED,
    )
    return evolve(training_run, **changes)


@define
class Done:
    """A completed future with a value or an error."""

    value: Any = None
    error: Exception | None = None

    def result(self, timeout: float | None = None) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


@define
class FakeRest:
    """The operations that commands use. If `error` is set, each of them fails with it."""

    runs: list[types.TrainingRun] = field(factory=list)
    checkpoints: list[types.Checkpoint] = field(factory=list)
    sessions: list[str] = field(factory=list)
    archive_url: str = ""
    #: Paths whose deletion fails.
    undeletable: set[str] = field(factory=set)
    error: BaseException | None = None
    #: Changes as (operation, path).
    changes: list[tuple[str, str]] = field(factory=list)

    def list_training_runs(self, limit: int = 20, offset: int = 0) -> Done:
        cursor = types.Cursor(offset, limit, len(self.runs))
        return self._reply(types.TrainingRunsResponse(self.runs[offset:][:limit], cursor))

    def get_training_run(self, run_id: str) -> Done:
        matches = [run for run in self.runs if run.training_run_id == run_id]
        missing = NotFoundError("HTTP 404 Not Found: no such run", status_code=404)
        return self._reply(matches[0]) if matches else Done(error=missing)

    def list_checkpoints(self, run_id: str) -> Done:
        listed = [
            checkpoint
            for checkpoint in self.checkpoints
            if f"//{run_id}/" in str(checkpoint.tinker_path or f"//{run_id}/")
        ]
        return self._reply(types.CheckpointsListResponse(listed))

    def list_user_checkpoints(self, limit: int = 100, offset: int = 0) -> Done:
        cursor = types.Cursor(offset, limit, len(self.checkpoints))
        page = self.checkpoints[offset:][:limit]
        return self._reply(types.CheckpointsListResponse(page, cursor))

    def get_checkpoint_archive_url_from_tinker_path(self, tinker_path: str) -> Done:
        return self._reply(types.CheckpointArchiveUrlResponse(self.archive_url, CREATED))

    def publish_checkpoint_from_tinker_path(self, tinker_path: str) -> Done:
        return self._change("publish", tinker_path)

    def unpublish_checkpoint_from_tinker_path(self, tinker_path: str) -> Done:
        return self._change("unpublish", tinker_path)

    def delete_checkpoint_from_tinker_path(self, tinker_path: str) -> Done:
        if tinker_path in self.undeletable:
            return Done(error=NotFoundError("HTTP 404 Not Found: gone", status_code=404))
        return self._change("delete", tinker_path)

    def set_checkpoint_ttl_from_tinker_path(self, tinker_path: str, ttl: int | None) -> Done:
        return self._change(f"expire {ttl}", tinker_path)

    def list_sessions(self, limit: int = 20, offset: int = 0) -> Done:
        return self._reply(types.ListSessionsResponse(self.sessions[offset:][:limit]))

    def get_session(self, session_id: str) -> Done:
        return self._reply(
            types.GetSessionResponse(["run-1"], ["sampler-1"], {"k": "v"}, display_name="nightly")
        )

    def export_session_trace(self, session_id: str) -> Done:
        return self._reply(self.archive_url)

    def _change(self, operation: str, tinker_path: str) -> Done:
        self.changes.append((operation, tinker_path))
        return self._reply(None)

    def _reply(self, value: Any) -> Done:
        if self.error is not None and not isinstance(self.error, Exception):
            raise self.error
        return Done(value, self.error)


@define
class FakeService:
    """The result of `open_service`; records the settings it was opened with."""

    rest: FakeRest = field(factory=FakeRest)
    capabilities: types.GetServerCapabilitiesResponse = field(
        factory=lambda: types.GetServerCapabilitiesResponse([types.SupportedModel("embedded/tiny")])
    )
    #: Return capabilities even if `error` is set.
    public_capabilities: bool = False
    opened_with: list[dict[str, Any]] = field(factory=list)

    @property
    def server_protocol(self) -> ServerProtocol:
        return BASELINE

    def create_rest_client(self) -> FakeRest:
        return self.rest

    def get_server_capabilities(self) -> types.GetServerCapabilitiesResponse:
        if self.rest.error is not None and not self.public_capabilities:
            raise self.rest.error
        return self.capabilities

    def context(self) -> CommandContext:
        """A command context that opens this service."""

        @contextmanager
        def opener(**settings: Any) -> Iterator[ServiceClient]:
            self.opened_with.append(settings)
            yield cast("ServiceClient", self)

        return CommandContext(opener=opener)
