"""Runs the server: opens the socket, prints the URL, and exits with the parent process."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

import uvicorn

from tinker_ext.embedded.access import Access, http_url, is_loopback
from tinker_ext.embedded.app import build_app
from tinker_ext.embedded.backend import Backend
from tinker_ext.embedded.http_protocol import BoundedProtocol
from tinker_ext.embedded.protocols import ANY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tinker_ext.redaction.secret import Secret

logger = logging.getLogger("tinker_ext.embedded")

LOOPBACK = "127.0.0.1"

# Seconds for which an idle connection is kept. Longer than clients keep theirs, so that the client
# closes it: a request sent while the server closes the connection is lost.
KEEP_ALIVE_SECONDS = 75

# Seconds for which open connections (mostly polls) can delay the shutdown.
GRACE_SECONDS = 2

# Seconds after the end of the parent process until a busy server is forced to exit.
FORCED_END_SECONDS = 10.0

# Files and folders that this process creates are not accessible to other users.
UMASK = 0o077


def serve(
    port: int,
    state_dir: Path,
    host: str = LOOPBACK,
    *,
    protocol: str = ANY,
    jwt_lifetime: float | None = None,
    flags: Mapping[str, Any] | None = None,
    parent_pipe: bool = False,
    key: Secret | None = None,
    allow_hosts: Iterable[str] = (),
    public_url: str | None = None,
    adapters: Path | None = None,
) -> None:
    """Run the server until it is interrupted, or with `parent_pipe` until stdin closes. Blocks.

    When the server is ready, it prints one JSON line ``{"url": ...}`` to stdout; the log goes to
    stderr.

    Args:
        port: The port to listen on; 0 chooses a free one.
        state_dir: Folder for runs and checkpoints.
        host: The address to listen on. One that other machines can reach requires a `key`.
        protocol: One of `PROTOCOLS`.
        jwt_lifetime: Requires clients to exchange their key for a token that is valid for this
            number of seconds.
        flags: Server flags sent to clients.
        parent_pipe: Exit when stdin closes.
        key: The key that clients must send.
        allow_hosts: Names that requests may be addressed to, in addition to `host`.
        public_url: The server's URL behind a proxy, used in links.
        adapters: Folder below which clients may load PEFT adapters by their path.

    Raises:
        OSError: the server can't listen on the address.
        ValueError: other machines can reach the address, and there is no key.
        RuntimeError: another server uses the state folder, or it can't be read; the protocol has no
            tokens, or not these flags.
        KeyboardInterrupt: the server was interrupted and has shut down.
    """
    if key is None and not is_loopback(host):
        raise ValueError(f"other machines can reach {host}, so the server needs a key")
    os.umask(UMASK)
    listener = _listen(host, port)
    try:
        backend = Backend(
            state_dir.resolve(), jwt_lifetime=jwt_lifetime, flags=flags, key=key, adapters=adapters
        )
        app = build_app(backend, protocol, Access((host, *allow_hosts), public_url))
    except BaseException:
        listener.close()
        raise
    url = http_url(host, listener.getsockname()[1])
    server = _Server(_config(app), url)
    if parent_pipe:
        threading.Thread(target=_exit_with_parent, args=(server,), daemon=True).start()
    server.run(sockets=[listener])
    if not server.started:
        raise RuntimeError("the embedded backend did not start: see the messages above")


class _Server(uvicorn.Server):
    """Prints its URL once it accepts requests."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            logger.info("listening on %s (%s)", self._url, visibility(self._url))
            sys.stdout.write(json.dumps({"url": self._url}) + "\n")
            sys.stdout.flush()


def _config(app: object) -> uvicorn.Config:
    """Without an access log, so that keys are never logged."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # uvicorn's own alias for an application is private
        http=BoundedProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm only if the socket's protocol is set explicitly. With the
    # algorithm, each response is delayed by 40 ms, until the client acknowledges its headers.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # on Windows the option would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def visibility(url: str) -> str:
    """A description of who can connect."""
    if is_loopback(url.removeprefix("http://").rpartition(":")[0].strip("[]")):
        return "this machine only"
    return "reachable from other machines, with the key"


def _exit_with_parent(server: uvicorn.Server) -> None:
    """Wait for stdin to close, which happens when the parent process ends for any reason."""
    while sys.stdin.buffer.read(1024):
        pass
    server.should_exit = True
    timer = threading.Timer(FORCED_END_SECONDS, os._exit, args=(1,))
    timer.daemon = True
    timer.start()
