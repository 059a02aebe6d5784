"""Calls and checks shared by the clients that need no session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar, Unpack

from tinker_ext import tracing
from tinker_ext.clients.argument_checks import check_int, check_nonempty_str
from tinker_ext.clients.checkpoint_lookup import find_checkpoint, parse_path, run_id_hint
from tinker_ext.clients.client_base import OfficialMembers
from tinker_ext.clients.embedded import new_core
from tinker_ext.clients.result_decoding import response_decoder
from tinker_ext.config import ClientConfig, hide_values
from tinker_ext.config.client_config import AllSettings
from tinker_ext.errors import InvalidInputError
from tinker_ext.runtime.concurrency.futures import APIFuture
from tinker_ext.runtime.core import ClientCore
from tinker_ext.transport.operations import Request
from tinker_ext.types.checkpoint_path import DOT_SEGMENTS
from tinker_ext.types.responses.checkpoints import ParsedCheckpointTinkerPath

R = TypeVar("R")
T = TypeVar("T")

#: The caller's own resources, or all that the caller may access.
AccessScope: TypeAlias = Literal["owned", "accessible"]


class RestClientBase(OfficialMembers):
    """Calls over the connection of a `ServiceClient` or a separate one.

    Args:
        core: the connection of another client; None for a separate one, which closes with the last
            reference to it.
        config: the settings of a separate connection, as for `ServiceClient`.
    """

    def __init__(self, core: ClientCore | None = None, **config: Unpack[AllSettings]) -> None:
        settings = hide_values(config)
        del config  # A traceback with variables would show the values.
        if core is not None and settings:
            raise TypeError("pass either the core of another client or settings, not both")
        self._core = new_core(ClientConfig.resolve(**settings)) if core is None else core

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._core,)

    def __repr__(self) -> str:
        if not hasattr(self, "_core"):  # In a traceback from __init__.
            return f"<{type(self).__name__} not initialized>"
        return f"<{type(self).__name__} {self._core.config.base_url}>"

    def _call(
        self, request: Request[R], finish: Callable[[R], T], *, run: str = ""
    ) -> APIFuture[T]:
        """Send a request; `run` is the id or a path of the training run that it is about."""

        async def call() -> R:
            with run_id_hint(run):
                return await self._core.call(request)

        name = request.operation.name
        with tracing.operation(name):
            return self._core.start(call(), response_decoder(name, finish))

    def _call_for(
        self,
        operation: str,
        path: ParsedCheckpointTinkerPath | str,
        request: Callable[[str, str, str], Request[R]],
        finish: Callable[[R], T],
    ) -> APIFuture[T]:
        """Send a request about a checkpoint, with its parts as parameters of the URL.

        A path that is not of the form `tinker://RUN/weights/NAME` is looked up on the server.
        """
        parsed = path if isinstance(path, ParsedCheckpointTinkerPath) else parse_path(path)

        async def call() -> R:
            checkpoint = parsed or await find_checkpoint(self._core, str(path))
            with run_id_hint(checkpoint.training_run_id):
                return await self._core.call(request(*path_params(checkpoint)))

        with tracing.operation(operation):
            return self._core.start(call(), finish)


def require_id(value: str, where: str) -> str:
    """Return the id if it is not empty and can be a segment of a URL."""
    check_nonempty_str(value, where)
    if value in DOT_SEGMENTS:
        raise InvalidInputError(f"expected an id, got {value!r}", where=where)
    return value


def path_params(path: ParsedCheckpointTinkerPath) -> tuple[str, str, str]:
    """The parameters of a checkpoint in the URL of an operation."""
    return path.training_run_id, path.checkpoint_kind, path.checkpoint_name


def check_page(limit: int, offset: int) -> None:
    """Reject an invalid page."""
    check_int(limit, 1, "limit")
    check_int(offset, 0, "offset")


def check_scope(access_scope: str | None) -> None:
    """Reject an unknown access scope."""
    if access_scope not in (None, "owned", "accessible"):
        raise InvalidInputError(
            f"expected 'owned' or 'accessible', got {access_scope!r}", where="access_scope"
        )
