"""The HTTP server below an application: its socket, limits, and the line that announces it."""

from __future__ import annotations

import json
import logging
import socket
import sys

import uvicorn

from tinker_ext.embedded.access import http_url, is_loopback
from tinker_ext.embedded.http_protocol import BoundedProtocol

logger = logging.getLogger("tinker_ext.embedded")

# Seconds for which an idle connection is kept. Longer than clients keep theirs, so that the client
# closes it: a request sent while the server closes the connection is lost.
KEEP_ALIVE_SECONDS = 75

# Seconds for which open connections (mostly polls) can delay the shutdown.
GRACE_SECONDS = 2


def run_app(app: object, host: str, port: int, *, path: str = "") -> None:
    """Run an application until it is interrupted. Blocks.

    `path` is the part of the announced URL after the port.

    Raises:
        OSError: the server can't listen on the address.
        KeyboardInterrupt: the server was interrupted and has shut down.
    """
    listener = listen(host, port)
    url = http_url(host, listener.getsockname()[1])
    server = AnnouncingServer(server_config(app), url + path)
    server.run(sockets=[listener])
    if not server.started:
        raise RuntimeError("the server did not start: see the messages above")


class AnnouncingServer(uvicorn.Server):
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


def server_config(app: object) -> uvicorn.Config:
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


def listen(host: str, port: int) -> socket.socket:
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
    """Whether other machines can connect, in words."""
    if is_loopback(url.removeprefix("http://").rpartition(":")[0].strip("[]")):
        return "this machine only"
    return "reachable from other machines, with the key"
