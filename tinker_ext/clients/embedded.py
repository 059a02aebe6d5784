"""The server of a client: at a URL, or an embedded backend started on first use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from attrs import evolve

from tinker_ext.backend_key import FILE_NAME, new_key
from tinker_ext.config import ClientConfig, hide_values
from tinker_ext.runtime.core import ClientCore

if TYPE_CHECKING:
    from pathlib import Path

    from tinker_ext.embedded.launch import EmbeddedServer


class EmbeddedBackend:
    """The base URL of a configuration; starts the embedded backend if the configuration is for one.

    The backend belongs to one client: it starts on a free loopback port and stops with it. It
    accepts only requests with a random key, so that other users of the machine can't use it.

    Attributes:
        config: the configuration to connect with. For an embedded backend it has the random key;
            the user's key is sent only to the server it is meant for.
    """

    def __init__(self, config: ClientConfig) -> None:
        if config.is_embedded:
            config = evolve(config, api_key=new_key(), credential_cmd=None)
        self.config = config
        self._lock = threading.Lock()
        self._server: EmbeddedServer | None = None

    def base_url(self) -> str:
        """The URL of the server; blocks for a second or two while a backend starts."""
        if not self.config.is_embedded:
            return self.config.base_url
        from tinker_ext.embedded.launch import start_embedded

        with self._lock:
            if self._server is None:
                self._server = start_embedded(self.config.embedded_dir, key=self.config.api_key)
            return self._server.url

    def key_file(self) -> Path | None:
        """The file from which other processes read the key of a started backend."""
        server = self._server
        return None if server is None else server.state_dir.absolute() / FILE_NAME

    def stop(self) -> None:
        """Stop the backend, if it was started."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()


def new_core(**config: Any) -> ClientCore:
    """A new connection with the settings of `ClientConfig.resolve`."""
    config = hide_values(config)
    resolved = ClientConfig.resolve(**config)
    backend = EmbeddedBackend(resolved)
    return ClientCore(backend.config, backend.base_url, backend.stop, key_file=backend.key_file)
