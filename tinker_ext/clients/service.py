"""The way in: one connection to a server, and the clients made from it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from tinker_ext import tracing, types
from tinker_ext.clients.compat import with_headers
from tinker_ext.clients.embedded import EmbeddedBackend
from tinker_ext.clients.factory import ClientFactory
from tinker_ext.config import ClientConfig, unshown
from tinker_ext.runtime.concurrency.futures import done_future
from tinker_ext.runtime.core import ClientCore
from tinker_ext.runtime.session.session import SessionEnd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from tinker_ext.protocol.server_protocol import ServerProtocol
    from tinker_ext.runtime.concurrency.futures import APIFuture
    from tinker_ext.runtime.results.queue_log import QueueStateObserver, SessionObserver
    from tinker_ext.runtime.session.session import SessionStatus

# Seconds that close() lets pending requests finish.
CLOSE_TIMEOUT = 10.0


class ServiceClient(ClientFactory):
    """A connection to a Tinker server; makes training, sampling and REST clients.

    Connects on first use. Close it, or use it in a `with` block: that stops its heartbeats and an
    embedded backend of its own. So does dropping it, once the clients made from it are dropped and
    the work under way is done. Safe to use from several threads.

    Args:
        user_metadata: stored with the session.
        project_id: the project that the session belongs to (0.38.0).
        queue_state_observer: told why the server lets requests wait.
        session_observer: told when the server no longer hears the session's heartbeats.
        default_headers_overrides: release 0.38.0's name of the setting `default_headers`.
        config: every setting of `ClientConfig.resolve`, such as `api_key`, `base_url` ("embedded"
            for a backend on this machine), `timeout` in seconds, `tags`, `proxy`. An argument wins
            over the environment, the environment over the default.

    Raises:
        ConfigurationError: a setting is unknown or can't be; or there is neither a key nor
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
        **config: Any,
    ) -> None:
        config |= {"user_metadata": user_metadata, "project_id": project_id}
        config = unshown(with_headers(config, default_headers_overrides))
        # A traceback with variables would show their values.
        del user_metadata, project_id, default_headers_overrides
        self._config = ClientConfig.resolve(**config)
        backend = EmbeddedBackend(self._config)
        self._core = ClientCore(
            backend.config,
            backend.base_url,
            backend.stop,
            key_file=backend.key_file,
            queue_state_observer=queue_state_observer,
            session_observer=session_observer,
        )

    @classmethod
    def over(cls, core: ClientCore) -> Self:
        """A client on a core made elsewhere; `tinker_ext.testing` makes one without a network."""
        service = cls.__new__(cls)
        service._config = core.config
        service._core = core
        return service

    @property
    def config(self) -> ClientConfig:
        """The settings in force, and where each came from."""
        return self._config

    @property
    def dialect(self) -> ServerProtocol:
        """What has been learnt of the server's dialect so far; it prints as a sentence."""
        return self._core.dialect

    def get_server_capabilities(self) -> types.GetServerCapabilitiesResponse:
        """Which models the server offers."""
        return self._capabilities().result()

    async def get_server_capabilities_async(self) -> types.GetServerCapabilitiesResponse:
        return await self._capabilities()

    def close(
        self,
        status: SessionStatus = "success",
        detail: str | None = None,
        *,
        timeout: float = CLOSE_TIMEOUT,
    ) -> APIFuture[None]:
        """Wait at most `timeout` seconds for pending requests, give up the rest, disconnect.

        A server of release 0.32.0 or later is told that the session ended, how, and the `detail`.
        Futures given up raise ClientClosedError. Closing twice is harmless. The future is
        done when it is returned; it is there because release 0.38.0 returns one.
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
        """As a block ended: what it left behind is waited for, if it ended well."""
        self._core.close(CLOSE_TIMEOUT if error is None else 0.0, SessionEnd.from_error(error))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return ServiceClient.over, (self._core,)

    def __repr__(self) -> str:
        if not hasattr(self, "_core"):  # In a traceback out of __init__.
            return "<ServiceClient not yet made>"
        return f"<ServiceClient {self._config.base_url}{' closed' if self._core.closed else ''}>"

    def _capabilities(self) -> APIFuture[types.GetServerCapabilitiesResponse]:
        with tracing.operation("get_server_capabilities"):
            sent = self._core.call(
                "get_server_capabilities", lambda gateway: gateway.get_server_capabilities()
            )
            return self._core.start(sent, types.GetServerCapabilitiesResponse.from_api)
