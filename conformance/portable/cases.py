"""Seven recorded responses of retrieve_future, and a server that returns them."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from attrs import frozen

from codegen.emit.portable import RESULTS
from codegen.paths import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The examples of retrieve_future, and the types of those that are not results.
NAMES = {
    "try_again": "TryAgainResponse",
    "failed": "RequestFailedResponse",
    **{
        name: RESULTS[name]
        for name in (
            *("create_model", "forward_backward", "optim_step"),
            *("save_weights_for_sampler", "asample"),
        )
    },
}


@frozen
class Case:
    """A recorded response and the type of which it is."""

    name: str
    model: str
    value: Any


def recorded_cases() -> list[Case]:
    """The recorded responses of `NAMES`."""
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))["retrieve_future"]
    return [Case(name, model, examples[name]["response"]) for name, model in NAMES.items()]


@contextmanager
def case_server(cases: list[Case]) -> Iterator[str]:
    """The URL of a server whose retrieve_future returns the case named by the request id."""
    values = {case.name: case.value for case in cases}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(values[request["request_id"]]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def differences(case: Case, value: Any) -> list[str]:
    """The fields in which a decoded and encoded value differs from the recorded one.

    A field that was added as null is not a difference.
    """
    return list(_differences(case.value, value, case.name))


def _differences(expected: Any, value: Any, place: str) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(value, dict):
        for name in sorted(expected.keys() | value.keys()):
            if name not in value:
                if expected[name] is not None:
                    yield f"{place}.{name} is lost"
            elif name in expected:
                yield from _differences(expected[name], value[name], f"{place}.{name}")
            elif value[name] is not None:
                yield f"{place}.{name} is added"
    elif isinstance(expected, list) and isinstance(value, list) and len(expected) == len(value):
        for at, (first, second) in enumerate(zip(expected, value, strict=True)):
            yield from _differences(first, second, f"{place}[{at}]")
    elif expected != value or isinstance(expected, bool) != isinstance(value, bool):
        yield f"{place} is {json.dumps(value)} instead of {json.dumps(expected)}"
