"""The server of a client: at a URL, or an embedded backend started on first use."""

from __future__ import annotations

import os
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from tinker_ext.config import ClientConfig
from tinker_ext.private_files import BACKEND_KEY_FILE, new_backend_key
from tinker_ext.redaction.secret import Secret
from tinker_ext.runtime.core import ClientCore

if TYPE_CHECKING:
    from tinker_ext.embedded.launch import RunningBackend


@define(eq=False)
class SharedBackend:
    """The embedded backend of one state folder, shared by the clients of this process.

    It starts with the first client that needs it and stops with the last one. A process forked
    from this one uses a running backend but never stops it.

    Attributes:
        folder: the state folder; None for a temporary one.
        server: the backend while it runs.
    """

    folder: Path | None
    _lock: threading.Lock = field(factory=threading.Lock)
    server: RunningBackend | None = None
    _clients: int = 0
    _inherited: bool = False

    def acquire(self) -> RunningBackend:
        """The running server, which `release` gives back; blocks for a second while it starts.

        A server that has exited is replaced.
        """
        from tinker_ext.embedded.launch import start_embedded

        with self._lock:
            exited = self.server is not None and not self._inherited and self.server.exited
            if self.server is None or exited:
                self.server = start_embedded(self.folder, key=process_key())
                self._clients, self._inherited = 0, False
            self._clients += 1
            return self.server

    def release(self, server: RunningBackend) -> None:
        """Stop the server if no other client uses it."""
        with self._lock:
            if self._inherited:
                return
            if server is not self.server:  # it had exited, and was replaced
                server.close()
                return
            self._clients -= 1
            if self._clients == 0:
                self.server = None
                server.close()

    def check(self, server: RunningBackend) -> None:
        """Check that a server from `acquire` runs; a forked process does not know.

        Raises:
            SessionLostError: it has ended.
        """
        if not self._inherited:
            server.check()

    def after_fork(self) -> None:
        """Called in a forked process, whose parent owns a running server."""
        self._lock = threading.Lock()
        self._inherited = self.server is not None


_shared: dict[Path | None, SharedBackend] = {}
_shared_lock = threading.Lock()


def shared_backend(folder: Path | None) -> SharedBackend:
    """The backend of a folder; all clients without a folder share a temporary one."""
    name = None if folder is None else folder.expanduser().absolute()
    with _shared_lock:
        return _shared.setdefault(name, SharedBackend(folder))


@cache
def process_key() -> Secret:
    """The key of this process's backends."""
    return new_backend_key()


def _after_fork() -> None:
    global _shared_lock
    _shared_lock = threading.Lock()
    for backend in _shared.values():
        backend.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


class EmbeddedBackend:
    """The base URL of a configuration; starts the embedded backend if the configuration is for one.

    The backend listens on a free loopback port. It accepts only requests with a random key, so that
    other users of the machine can't use it.

    Attributes:
        config: the configuration to connect with. For an embedded backend it has the random key;
            the user's key is sent only to the server it is meant for.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._shared = shared_backend(config.embedded_dir)
        if config.is_embedded:
            config = evolve(config, api_key=process_key(), credential_cmd=None)
        self.config = config
        self._lock = threading.Lock()
        self._server: RunningBackend | None = None

    def base_url(self) -> str:
        """The URL of the server; blocks for a second or two while a backend starts."""
        if not self.config.is_embedded:
            return self.config.base_url
        with self._lock:
            if self._server is None:
                self._server = self._shared.acquire()
            return self._server.url

    def check(self) -> None:
        """Check that the backend, if it was started, has not ended by itself.

        Raises:
            SessionLostError: it has ended.
        """
        server = self._server
        if server is not None:
            self._shared.check(server)

    def key_file(self) -> Path | None:
        """The file from which other processes read the key of a started backend."""
        server = self._server
        return None if server is None else server.state_dir.absolute() / BACKEND_KEY_FILE

    def stop(self) -> None:
        """Stop using the backend, if it was started."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            self._shared.release(server)


def new_core(config: ClientConfig, **observers: Any) -> ClientCore:
    """A new connection; `observers` are those of `ClientCore`."""
    backend = EmbeddedBackend(config)
    return ClientCore(
        backend.config,
        backend.base_url,
        backend.stop,
        check_server=backend.check,
        key_file=backend.key_file,
        **observers,
    )
