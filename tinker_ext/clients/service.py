"""The entry point: one connection to a server, and the clients created from it."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any, Self, Unpack

from tinker_ext import tracing, types
from tinker_ext.clients.compat import with_headers
from tinker_ext.clients.embedded import EmbeddedBackend
from tinker_ext.clients.factory import ClientFactory
from tinker_ext.clients.holder import OfficialMembers, page_url
from tinker_ext.config import ClientConfig, hide_values
from tinker_ext.runtime.concurrency.futures import done_future
from tinker_ext.runtime.core import ClientCore
from tinker_ext.runtime.session.session import SessionEnd
from tinker_ext.transport import operations
from tinker_ext.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from tinker_ext.config.client_config import Settings
    from tinker_ext.protocol.server_protocol import ServerProtocol
    from tinker_ext.runtime.concurrency.futures import APIFuture
    from tinker_ext.runtime.results.queue_log import QueueStateObserver, SessionObserver
    from tinker_ext.runtime.session.session import SessionStatus

# Seconds that close() lets pending requests finish.
CLOSE_TIMEOUT = 10.0


class ServiceClient(OfficialMembers, ClientFactory):
    """A connection to a Tinker server; creates training, sampling and REST clients.

    Connects on first use. Close it, or use it in a `with` block: that stops its heartbeats and its
    embedded backend, if it has one. Garbage collection does the same, once the clients created
    from it are gone and pending requests are done. Safe to use from several threads.

    Args:
        user_metadata: stored with the session.
        project_id: the project that the session belongs to (0.38.0).
        queue_state_observer: notified of the reason why the server queues requests.
        session_observer: notified when the server stops receiving the session's heartbeats.
        default_headers_overrides: release 0.38.0's name of the setting `default_headers`.
        config: any setting of `ClientConfig.resolve`, such as `api_key`, `base_url` ("embedded"
            for a backend on this machine), `timeout` in seconds, `tags`, `proxy`. An argument wins
            over the environment, the environment over the default.

    Raises:
        ConfigurationError: a setting is unknown or invalid; or there is neither a key nor
            `base_url="embedded"`.

    Example:
        >>> with ServiceClient(base_url="embedded") as service:
        ...     training = service.create_lora_training_client("embedded/tiny", rank=8)
    """

    def __init__(
        self,
        user_metadata: dict[str, str] | None = None,
        project_id: str | None = None,
        *,
        queue_state_observer: QueueStateObserver | None = None,
        session_observer: SessionObserver | None = None,
        default_headers_overrides: Mapping[str, str] | None = None,
        **config: Unpack[Settings],
    ) -> None:
        named = {"user_metadata": user_metadata, "project_id": project_id}
        settings: dict[str, Any] = {**config, **named}
        settings = hide_values(with_headers(settings, default_headers_overrides))
        # A traceback with variables would show their values.
        del user_metadata, project_id, default_headers_overrides, config, named
        self._config = ClientConfig.resolve(**settings)
        backend = EmbeddedBackend(self._config)
        self._core = ClientCore(
            backend.config,
            backend.base_url,
            backend.stop,
            check_server=backend.check,
            key_file=backend.key_file,
            queue_state_observer=queue_state_observer,
            session_observer=session_observer,
        )

    @classmethod
    def from_core(cls, core: ClientCore) -> Self:
        """A client for an existing core, such as one of `tinker_ext.testing` without a network."""
        service = cls.__new__(cls)
        service._config = core.config
        service._core = core
        return service

    @classmethod
    def over(cls, core: ClientCore) -> Self:
        """Deprecated name of `from_core`."""
        warnings.warn(
            "ServiceClient.over is deprecated; use from_core", DeprecationWarning, stacklevel=2
        )
        return cls.from_core(core)

    @property
    def config(self) -> ClientConfig:
        """The resolved settings, and the source of each."""
        return self._config

    @property
    def server_protocol(self) -> ServerProtocol:
        """The version of the API that the server uses, as far as known; prints as a sentence."""
        return self._core.protocol

    @property
    def dialect(self) -> ServerProtocol:
        """Deprecated name of `server_protocol`."""
        warnings.warn(
            "ServiceClient.dialect is deprecated; use server_protocol",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.server_protocol

    def get_console_url(self) -> str:
        """The page of the session in the console of the hosted service, or of all sessions.

        Other servers have no console; there it is the address of the session in the API.
        """
        session_id = self._core.session.known_id
        return page_url(self._core, "sessions" if session_id is None else f"sessions/{session_id}")

    def usage(self) -> Usage:
        """The tokens used by all clients of this service, in this process.

        Training counts when its result arrives, a sample when its result is retrieved. The
        `usage` methods of training and sampling clients return the part of one client.
        """
        return self._core.usage.read()

    def get_server_capabilities(self) -> types.GetServerCapabilitiesResponse:
        """The models that the server offers."""
        return self._capabilities().result()

    async def get_server_capabilities_async(self) -> types.GetServerCapabilitiesResponse:
        """As `get_server_capabilities`, awaited."""
        return await self._capabilities()

    def close(
        self,
        status: SessionStatus = "success",
        detail: str | None = None,
        *,
        timeout: float = CLOSE_TIMEOUT,
    ) -> APIFuture[None]:
        """Wait at most `timeout` seconds for pending requests, abandon the others and disconnect.

        A server of release 0.32.0 or later receives the session's `status` and `detail`. Abandoned
        futures raise ClientClosedError. Closing twice is harmless; a call while another one waits
        returns with it, after the shorter of their timeouts. The returned future is already done;
        it exists because release 0.38.0 returns one.
        """
        self._core.close(timeout, SessionEnd(status, detail))
        return done_future()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close_after(error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._close_after, error)

    def _close_after(self, error: BaseException | None) -> None:
        """Close at the end of a `with` block; pending requests are abandoned if it raised."""
        self._core.close(CLOSE_TIMEOUT if error is None else 0.0, SessionEnd.from_error(error))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return ServiceClient.from_core, (self._core,)

    def __repr__(self) -> str:
        if not hasattr(self, "_core"):  # In a traceback from __init__.
            return "<ServiceClient not initialized>"
        return f"<ServiceClient {self._config.base_url}{' closed' if self._core.closed else ''}>"

    def _capabilities(self) -> APIFuture[types.GetServerCapabilitiesResponse]:
        with tracing.operation("get_server_capabilities"):
            response = self._core.call(operations.get_server_capabilities())
            return self._core.start(response, types.GetServerCapabilitiesResponse.from_api)
