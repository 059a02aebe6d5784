"""Where a client's server is: at a URL, or started here on first use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from tinker_ext.config import ClientConfig, unshown
from tinker_ext.runtime.core import ClientCore

if TYPE_CHECKING:
    from tinker_ext.embedded.launch import EmbeddedServer


class EmbeddedBackend:
    """Finds the base URL of a configuration; starts the embedded backend where it asks for one.

    The backend belongs to one client: it starts on a free loopback port and stops with it.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._server: EmbeddedServer | None = None

    def base_url(self) -> str:
        """The URL to talk to; blocks for a second or two while a backend starts."""
        if not self._config.is_embedded:
            return self._config.base_url
        from tinker_ext.embedded.launch import start_embedded

        with self._lock:
            if self._server is None:
                self._server = start_embedded(self._config.embedded_dir)
            return self._server.url

    def stop(self) -> None:
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()


def new_core(**config: Any) -> ClientCore:
    """A connection with settings of its own, as `ClientConfig.resolve` takes them."""
    config = unshown(config)
    resolved = ClientConfig.resolve(**config)
    backend = EmbeddedBackend(resolved)
    return ClientCore(resolved, backend.base_url, backend.stop)
