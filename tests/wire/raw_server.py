"""A server that runs a function for each connection, with control of every byte."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import cache
from types import TracebackType
from typing import Self

import trustme

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for zero seconds (socket(7)).


@cache
def authority() -> trustme.CA:
    """The certificate authority of the servers of this test run."""
    return trustme.CA()


class Peer:
    """The server's end of a connection.

    Attributes:
        gone: set when the server is closed; for handlers that wait.
    """

    def __init__(self, sock: socket.socket, gone: threading.Event) -> None:
        self.sock = sock
        self.gone = gone
        self._rest = b""

    def request(self) -> bytes:
        """The head of the next request, whose body is read too; empty if there is none."""
        while b"\r\n\r\n" not in self._rest:
            if not (part := self.sock.recv(65536)):
                return b""
            self._rest += part
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        length = next(
            (line for line in head.lower().split(b"\r\n") if b"content-length:" in line), b":0"
        )
        left = int(length.partition(b":")[2]) - len(self._rest)
        while left > 0 and (part := self.sock.recv(min(left, 65536))):
            left -= len(part)
        self._rest = b""
        return head

    def say(self, text: bytes) -> None:
        self.sock.sendall(text)

    def respond(self, body: bytes = b"{}", headers: bytes = b"") -> None:
        self.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), headers, body))

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.sock.close()

    def encrypt(self, host: str = "127.0.0.1", until: datetime | None = None) -> None:
        """Starts TLS, with a certificate for `host` that expires at `until`."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority().issue_cert(host, not_after=until).configure_cert(context)
        self.sock = context.wrap_socket(self.sock, server_side=True)


class RawServer:
    """Listens on 127.0.0.1; `act` handles each connection in a thread.

    Attributes:
        connections: the number of connections accepted.
        open: the number of open connections.
    """

    def __init__(self, act: Callable[[Peer], object], backlog: int = 128) -> None:
        self.connections = self.open = 0
        self._act = act
        self._gone = threading.Event()
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._handle, args=(sock,), daemon=True).start()

    def _handle(self, sock: socket.socket) -> None:
        with self._lock:
            self.open += 1
        peer = Peer(sock, self._gone)
        try:
            with suppress(OSError):
                self._act(peer)
        finally:
            peer.sock.close()
            with self._lock:
                self.open -= 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._gone.set()
        with suppress(OSError):  # Wakes the thread that accepts.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
