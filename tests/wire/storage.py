"""Storage with signed URLs on a loopback socket, with scripted faults."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from attrs import define, field, frozen

#: The query of every signed URL; nothing may show it.
SIGNATURE = "signature=PLANTED-signature-of-a-url"


@frozen
class Fault:
    """A fault in one response.

    Attributes:
        status: the error status to send, with an error body.
        cut: the number of body bytes sent before the connection is closed.
        ignores_range: send the whole file as 200, even if a range was requested.
        headers: additional headers.
        wait: send only the first byte until this event is set.
    """

    status: int | None = None
    cut: int | None = None
    ignores_range: bool = False
    headers: dict[str, str] = field(factory=dict)
    wait: threading.Event | None = None


@frozen
class StorageRequest:
    """One request."""

    path: str
    range: str | None
    if_range: str | None
    headers: dict[str, str] = field(repr=False)


@define(eq=False)
class Storage:
    """Serves `files` by path; all have the same `etag` (None: no ETag)."""

    url: str
    files: dict[str, bytes] = field(factory=dict)
    etag: str | None = '"first"'
    headers: dict[str, str] = field(factory=dict)
    faults: deque[Fault] = field(factory=deque)
    requests: list[StorageRequest] = field(factory=list)

    def signed(self, path: str) -> str:
        """The signed URL of a file."""
        return f"{self.url}{path}?{SIGNATURE}"

    @property
    def ranges(self) -> list[str | None]:
        """The `Range` of each request."""
        return [request.range for request in self.requests]


@contextmanager
def storage() -> Iterator[Storage]:
    """Storage without files."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _respond(self, served)

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        served = Storage(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def _respond(handler: BaseHTTPRequestHandler, served: Storage) -> None:
    headers = {name.lower(): value for name, value in handler.headers.items()}
    path = handler.path.partition("?")[0]
    served.requests.append(
        StorageRequest(path, headers.get("range"), headers.get("if-range"), headers)
    )
    fault = served.faults.popleft() if served.faults else Fault()
    status = fault.status if path in served.files else 403
    if status is not None:
        body = f"<Error><Code>AccessDenied</Code>{handler.path}</Error>".encode()
        _send(handler, status, {"content-length": str(len(body)), **fault.headers}, body)
        return
    content = served.files[path]
    unchanged = headers.get("if-range") in (None, served.etag)
    start = 0
    if "range" in headers and unchanged and not fault.ignores_range:
        start = int(headers["range"].removeprefix("bytes=").removesuffix("-"))
    if start >= len(content) > 0:
        _send(handler, 416, {"content-range": f"bytes */{len(content)}", "content-length": "0"})
        return
    response_headers = {"content-length": str(len(content) - start), **served.headers}
    if served.etag is not None:
        response_headers["etag"] = served.etag
    if start:
        response_headers["content-range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    body = content[start:]
    head = {**response_headers, **fault.headers}
    _send(
        handler,
        206 if start else 200,
        head,
        body if fault.cut is None else body[: fault.cut],
        fault,
    )


def _send(
    handler: BaseHTTPRequestHandler,
    status: int,
    headers: dict[str, str],
    body: bytes = b"",
    fault: Fault | None = None,
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.close_connection = True
    try:
        if fault is not None and fault.wait is not None:
            handler.wfile.write(body[:1])
            fault.wait.wait(30)
            body = body[1:]
        handler.wfile.write(body)
    except OSError:
        return  # The client closed the connection.
