"""Runs the server: opens the socket, prints the URL, and exits with the parent process."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from tinker_ext.embedded.access import Access, http_url, is_loopback
from tinker_ext.embedded.app import build_app
from tinker_ext.embedded.backend import Backend
from tinker_ext.embedded.http_server import AnnouncingServer, listen, server_config
from tinker_ext.embedded.protocols import ANY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import uvicorn

    from tinker_ext.embedded.app import Addition
    from tinker_ext.redaction.secret import Secret

LOOPBACK = "127.0.0.1"

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
    addition: Callable[[str, Access], Addition] | None = None,
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
        addition: Returns further routes, given the server's URL on this machine and the check of
            its requests.

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
    listener = listen(host, port)
    try:
        backend = Backend(
            state_dir.resolve(), jwt_lifetime=jwt_lifetime, flags=flags, key=key, adapters=adapters
        )
        access = Access((host, *allow_hosts), public_url)
        local = http_url(_local_name(host), listener.getsockname()[1])
        added = None if addition is None else addition(local, access)
        app = build_app(backend, protocol, access, added)
    except BaseException:
        listener.close()
        raise
    url = http_url(host, listener.getsockname()[1])
    server = AnnouncingServer(server_config(app), url)
    if parent_pipe:
        threading.Thread(target=_exit_with_parent, args=(server,), daemon=True).start()
    server.run(sockets=[listener])
    if not server.started:
        raise RuntimeError("the embedded backend did not start: see the messages above")


def _local_name(host: str) -> str:
    """The address at which this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": LOOPBACK, "::": "::1", "": LOOPBACK}.get(host, host)


def _exit_with_parent(server: uvicorn.Server) -> None:
    """Wait for stdin to close, which happens when the parent process ends for any reason."""
    while sys.stdin.buffer.read(1024):
        pass
    server.should_exit = True
    timer = threading.Timer(FORCED_END_SECONDS, os._exit, args=(1,))
    timer.daemon = True
    timer.start()
