"""Where a client's server is: at a URL, or started here on first use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from attrs import evolve

from tinker_ext.backend_key import FILE_NAME, new_key
from tinker_ext.config import ClientConfig, unshown
from tinker_ext.runtime.core import ClientCore

if TYPE_CHECKING:
    from pathlib import Path

    from tinker_ext.embedded.launch import EmbeddedServer


class EmbeddedBackend:
    """Finds the base URL of a configuration; starts the embedded backend where it asks for one.

    The backend belongs to one client: it starts on a free loopback port and stops with it. It
    accepts only requests with a random key, so that other users of the machine can't use it.

    Attributes:
        config: the configuration to connect with; for an embedded backend with that key instead of
            the user's, which is sent to servers only.
    """

    def __init__(self, config: ClientConfig) -> None:
        if config.is_embedded:
            config = evolve(config, api_key=new_key(), credential_cmd=None)
        self.config = config
        self._lock = threading.Lock()
        self._server: EmbeddedServer | None = None

    def base_url(self) -> str:
        """The URL to talk to; blocks for a second or two while a backend starts."""
        if not self.config.is_embedded:
            return self.config.base_url
        from tinker_ext.embedded.launch import start_embedded

        with self._lock:
            if self._server is None:
                self._server = start_embedded(self.config.embedded_dir, key=self.config.api_key)
            return self._server.url

    def key_file(self) -> Path | None:
        """The file from which other processes read the key of a backend that has started."""
        server = self._server
        return None if server is None else server.state_dir.absolute() / FILE_NAME

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
    return ClientCore(backend.config, backend.base_url, backend.stop, key_file=backend.key_file)
