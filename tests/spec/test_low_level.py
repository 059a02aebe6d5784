"""The examples of docs/low-level.md run, against a small server on this machine."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tinker_api.proto import tinker_public_pb2

from codegen.paths import ROOT

RESPONSES: dict[str, object] = {
    "/api/v1/create_session": {"session_id": "session-1", "type": "create_session"},
    "/api/v1/forward_backward": {"request_id": "request-1"},
    "/api/v1/retrieve_future": {
        "loss_fn_output_type": "scalar",
        "loss_fn_outputs": [],
        "metrics": {"loss:sum": 1.5},
    },
}


class Recorder(BaseHTTPRequestHandler):
    seen: list[tuple[str, dict[str, str], Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        packed = self.headers["Content-Type"] == "application/x-protobuf"
        self.seen.append((self.path, dict(self.headers), body if packed else json.loads(body)))
        body = json.dumps(RESPONSES[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Recorder.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_examples_of_low_level_documentation_run(
    server: ThreadingHTTPServer, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "low-level.md").read_text(encoding="utf-8")
    example = "\n".join(re.findall(r"```python\n(.*?)```", page, re.S))
    assert "http://127.0.0.1:8000" in example
    names: dict[str, Any] = {}
    address = f"http://127.0.0.1:{server.server_port}"
    exec(example.replace("http://127.0.0.1:8000", address), names)
    names["client"].get_httpx_client().close()

    assert capsys.readouterr().out.splitlines() == ["200 session-1", "{'loss:sum': 1.5}"]
    paths = [path for path, _, _ in Recorder.seen]
    assert paths == [*RESPONSES, "/api/v1/forward_backward"]
    message = tinker_public_pb2.ForwardBackwardRequest.FromString(Recorder.seen[-1][2])
    assert (message.seq_id, message.loss_fn) == (2, "cross_entropy")
    _, headers, body = Recorder.seen[0]
    assert headers["X-API-Key"] == "tml-..."
    assert headers["X-Idempotency-Key"] == "one-key-per-logical-call"
    assert body == {
        "tags": ["example"],
        "user_metadata": {"purpose": "a look around"},
        "sdk_version": "0.4.1",
        "type": "create_session",
    }
    datum = Recorder.seen[1][2]["forward_backward_input"]["data"][0]
    assert datum["model_input"] == {"chunks": [{"tokens": [1, 2, 3], "type": "encoded_text"}]}
    assert datum["loss_fn_inputs"]["weights"]["data"] == [1.0, 1.0, 1.0]
