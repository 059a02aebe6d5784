"""Running the server: a socket, a ready line, and an end when its owner ends."""

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
from tinker_ext.embedded.releases import ANY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tinker_ext.redaction.secret import Secret

logger = logging.getLogger("tinker_ext.embedded")

LOOPBACK = "127.0.0.1"

# How long an idle connection is kept. Longer than clients keep theirs, so that it is the client who
# closes: a request that crosses a closing on its way is lost.
KEEP_ALIVE_SECONDS = 75

# How long open connections (polls, mostly) may keep the server from ending, in seconds.
GRACE_SECONDS = 2

# How long after its owner's end a server that still computes is ended by force, in seconds.
FORCED_END_SECONDS = 10.0

# Permission bits that files and folders of this process do not get: nothing for other users.
UMASK = 0o077


def serve(
    port: int,
    state_dir: Path,
    host: str = LOOPBACK,
    *,
    dialect: str = ANY,
    jwt_life: float | None = None,
    flags: Mapping[str, Any] | None = None,
    parent_pipe: bool = False,
    key: Secret | None = None,
    allow_hosts: Iterable[str] = (),
    public_url: str | None = None,
) -> None:
    """Run the server until it is interrupted, or with `parent_pipe` until stdin closes.

    Port 0 takes a free one. When the server answers, one JSON line ``{"url": ...}`` goes to
    stdout; everything else goes to the log on stderr. `dialect` is one of `DIALECTS`. With
    `jwt_life` clients must exchange their key for a token of so many seconds; `flags` are what it
    announces to them. With a `key`, clients must send it; an address that other machines can reach
    needs one. `allow_hosts` are names that requests may be addressed to beside `host`, and
    `public_url` is what links to this server begin with, behind a proxy. Blocks.

    Raises:
        OSError: the address cannot be listened on.
        ValueError: other machines can reach the address, and there is no key.
        RuntimeError: another server uses the state folder, or it cannot be read; the dialect has no
            tokens, or not these flags.
        KeyboardInterrupt: it was interrupted; everything has been put away by then.
    """
    if key is None and not is_loopback(host):
        raise ValueError(f"other machines can reach {host}, so the server needs a key")
    os.umask(UMASK)
    listener = _listen(host, port)
    try:
        backend = Backend(state_dir.resolve(), jwt_life=jwt_life, flags=flags, key=key)
        app = build_app(backend, dialect, Access((host, *allow_hosts), public_url))
    except BaseException:
        listener.close()
        raise
    url = http_url(host, listener.getsockname()[1])
    server = _Server(_config(app), url)
    if parent_pipe:
        threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    server.run(sockets=[listener])
    if not server.started:
        raise RuntimeError("the embedded server did not start: see the messages above")


class _Server(uvicorn.Server):
    """Tells where it listens once it does."""

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
    """No access log and no echo of headers: keys never reach a log."""
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
    # asyncio switches Nagle's algorithm off only where the protocol is named; left on, every answer
    # waits 40 ms for the other side's acknowledgement of its head.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # there the option would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def visibility(url: str) -> str:
    """Who can connect, in words."""
    if is_loopback(url.removeprefix("http://").rpartition(":")[0].strip("[]")):
        return "this machine only"
    return "reachable from other machines, with the key"


def _end_with_parent(server: uvicorn.Server) -> None:
    """Wait for stdin to close, which happens when the owner ends, however it ends."""
    while sys.stdin.buffer.read(1024):
        pass
    server.should_exit = True
    timer = threading.Timer(FORCED_END_SECONDS, os._exit, args=(1,))
    timer.daemon = True
    timer.start()
