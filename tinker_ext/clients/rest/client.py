"""The client for training runs, checkpoints and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext import types
from tinker_ext.clients.admin import AdminCalls
from tinker_ext.clients.async_names import async_result
from tinker_ext.clients.rest._rest_base import AccessScope, check_page, check_scope, require_id
from tinker_ext.clients.rest.checkpoints import CheckpointCalls
from tinker_ext.clients.rest.sessions import SessionCalls
from tinker_ext.transport import operations
from tinker_ext.types.structuring import or_unset

if TYPE_CHECKING:
    from tinker_ext.runtime.concurrency.futures import APIFuture


class RestClient(CheckpointCalls, SessionCalls, AdminCalls):
    """Reads and manages training runs, checkpoints and sessions. It needs no session of its own.

    Create it with `ServiceClient.create_rest_client`, or directly with the settings of a
    `ServiceClient`. Every method returns a future; the `*_async` names return its value. An
    `access_scope` is "owned" or "accessible" (includes resources shared by other users); servers
    before 0.24.1 don't support it, so it is sent only if it is given.

    Example:
        >>> for run in rest.list_training_runs().result().training_runs:
        ...     print(run.training_run_id, run.base_model)
    """

    def get_server_capabilities(self) -> APIFuture[types.GetServerCapabilitiesResponse]:
        """The models that the server offers."""
        return self._call(
            operations.get_server_capabilities(),
            types.GetServerCapabilitiesResponse.from_api,
        )

    get_server_capabilities_async = async_result(get_server_capabilities)

    def get_training_run(
        self, training_run_id: str, access_scope: AccessScope | None = None
    ) -> APIFuture[types.TrainingRun]:
        """One training run."""
        require_id(training_run_id, "training_run_id")
        check_scope(access_scope)
        return self._call(
            operations.get_training_run(training_run_id, access_scope=or_unset(access_scope)),
            types.TrainingRun.from_api,
            run=training_run_id,
        )

    get_training_run_async = async_result(get_training_run)

    def get_training_run_by_tinker_path(
        self, tinker_path: str, access_scope: AccessScope | None = None
    ) -> APIFuture[types.TrainingRun]:
        """The training run that a checkpoint belongs to."""
        check_scope(access_scope)
        return self._call_for(
            "get_training_run",
            tinker_path,
            lambda run, *_: operations.get_training_run(run, access_scope=or_unset(access_scope)),
            types.TrainingRun.from_api,
        )

    get_training_run_by_tinker_path_async = async_result(get_training_run_by_tinker_path)

    def list_training_runs(
        self,
        limit: int = 20,
        offset: int = 0,
        access_scope: AccessScope | None = None,
        project_id: str | None = None,
    ) -> APIFuture[types.TrainingRunsResponse]:
        """A page of training runs, newest first, optionally of one project."""
        check_page(limit, offset)
        check_scope(access_scope)
        return self._call(
            operations.list_training_runs(
                limit=limit,
                offset=offset,
                access_scope=or_unset(access_scope),
                project_id=or_unset(project_id),
            ),
            types.TrainingRunsResponse.from_api,
        )

    list_training_runs_async = async_result(list_training_runs)
