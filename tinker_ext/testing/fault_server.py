"""A server on a loopback socket that produces faults."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit
from weakref import WeakSet

import h11

from tinker_ext.testing.faults import Fault
from tinker_ext.testing.messages import API, Received, Reply
from tinker_ext.testing.replies import Replies, decode_body

_READ = 65536
# SO_LINGER with zero seconds: closing resets the connection (socket(7)).
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class FaultServer(Replies):
    """Listens on a free port of 127.0.0.1, in a background thread, until it is closed.

    Example:
        >>> with FaultServer() as server:
        ...     server.respond("asample", faults.dropped())
        ...     service = ServiceClient(base_url=server.url, api_key="tml-test")
    """

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._transports: WeakSet[asyncio.WriteTransport] = WeakSet()
        self._port = 0
        self._thread = threading.Thread(target=self._run, name="fault-server", daemon=True)
        self._thread.start()
        self.listen()

    @property
    def url(self) -> str:
        """The URL of the server, for `base_url`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def connections_open(self) -> int:
        """The number of open connections."""
        return len(self._connections)

    def listen(self) -> None:
        """Accept connections; after `stop_listening`, on the same port."""
        self._run_on_loop(self._listen())

    def stop_listening(self) -> None:
        """Refuse new connections and close the open ones."""
        self._run_on_loop(self._stop_listening())

    def close(self) -> None:
        """Stop the server; a second call does nothing."""
        if self._thread.is_alive():
            self._run_on_loop(self._stop_listening())
            self._run_on_loop(self._abort())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _run_on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(
                self._connected, "127.0.0.1", self._port, backlog=1024
            )
            self._port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self, *, except_for: asyncio.Task[None] | None = None) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        closing = [task for task in self._connections if task is not except_for]
        for task in closing:
            task.cancel()
        await asyncio.gather(*closing, return_exceptions=True)

    async def _abort(self) -> None:
        """Drop what clients have not read; a closed transport would wait until they have."""
        # A connection may have been accepted just before the server stopped listening.
        while accepting := asyncio.all_tasks() - {asyncio.current_task()} - self._connections:
            await asyncio.wait(accepting)
        await self._stop_listening()
        for transport in list(self._transports):
            transport.abort()
        await asyncio.sleep(0)  # the loop closes aborted transports in its next iteration

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._transports.add(writer.transport)
        task = self._loop.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        try:
            while (received := await _receive(connection, reader)) is not None:
                if not await self._respond(connection, writer, received):
                    return
                connection.start_next_cycle()
        except (OSError, h11.RemoteProtocolError, h11.LocalProtocolError):
            return  # The client disconnected, or a fault made the connection unusable.
        finally:
            writer.close()

    async def _respond(
        self, connection: h11.Connection, writer: asyncio.StreamWriter, received: Received
    ) -> bool:
        """Respond to a request; return whether the connection stays usable."""
        scripted = self.decide(received)
        fault = scripted if isinstance(scripted, Fault) else Fault()
        if isinstance(scripted, Exception):
            fault = Fault(works=False, cut=0.0, ending="close")
        if fault.stop_listening:
            await self._stop_listening(except_for=asyncio.current_task())
        reply = self._reply(scripted, fault, received)
        if delay := reply.delay or fault.delay:
            await asyncio.sleep(delay)
        await self._send(connection, writer, reply, fault)
        if fault.ending == "reset":
            sock: socket.socket = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()
        return fault.ending == "stay"

    def _reply(self, scripted: Any, fault: Fault, received: Received) -> Reply:
        if isinstance(scripted, Reply):
            return scripted
        if callable(scripted):
            reply: Reply = scripted(received)
            return reply
        default = self.default_reply(received) if fault.works else Reply(503)
        reply = fault.reply or default
        if fault.alter is not None and reply.body is not None:
            reply = Reply(reply.status, fault.alter(reply.body), {**_JSON, **reply.headers})
        return Reply(reply.status, reply.body, {**reply.headers, **fault.headers}, reply.delay)

    async def _send(
        self, connection: h11.Connection, writer: asyncio.StreamWriter, reply: Reply, fault: Fault
    ) -> None:
        if fault.interval < 0:
            await asyncio.sleep(3600)
        if fault.raw is not None:
            writer.write(fault.raw)
            return
        if fault.stream is not None:
            await self._stream(connection, writer, reply, fault)
            return
        body = reply.content()
        length = {} if reply.status in (204, 304) else {"content-length": str(len(body))}
        head = h11.Response(
            status_code=reply.status, headers=_encode_headers({**length, **reply.all_headers()})
        )
        content = connection.send(head) or b""
        payload = (connection.send(h11.Data(data=body)) or b"") if body else b""
        payload += connection.send(h11.EndOfMessage()) or b""
        payload = payload[: int(len(payload) * fault.cut_body)]
        content += payload
        await _write(writer, content[: int(len(content) * fault.cut)] + fault.surplus, fault)

    async def _stream(
        self, connection: h11.Connection, writer: asyncio.StreamWriter, reply: Reply, fault: Fault
    ) -> None:
        assert fault.stream is not None
        head = h11.Response(
            status_code=reply.status,
            headers=[("transfer-encoding", "chunked"), *{**_JSON, **fault.headers}.items()],
        )
        writer.write(connection.send(head) or b"")
        for part in fault.stream():
            writer.write(connection.send(h11.Data(data=part)) or b"")
            await writer.drain()
            if fault.interval:
                await asyncio.sleep(fault.interval)
        writer.write(connection.send(h11.EndOfMessage()) or b"")


_JSON = {"content-type": "application/json"}


def _encode_headers(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


async def _receive(connection: h11.Connection, reader: asyncio.StreamReader) -> Received | None:
    """Receive the next request with its body; None if the client closed the connection."""
    request: h11.Request | None = None
    body = bytearray()
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(_READ))
            case h11.Request() as event:
                request = event
            case h11.Data(data=part):
                body += part
            case h11.EndOfMessage() if request is not None:
                return _received(request, bytes(body))
            case _:
                return None


def _received(request: h11.Request, body: bytes) -> Received:
    target = urlsplit(request.target.decode())
    return Received(
        path=target.path.removeprefix(API),
        method=request.method.decode(),
        headers={name.decode(): value.decode() for name, value in request.headers},
        body=decode_body(body),
        query=dict(parse_qsl(target.query)),
    )


async def _write(writer: asyncio.StreamWriter, content: bytes, fault: Fault) -> None:
    step = fault.piece or len(content) or 1
    for start in range(0, len(content), step):
        writer.write(content[start : start + step])
        await writer.drain()
        if fault.interval:
            await asyncio.sleep(fault.interval)
