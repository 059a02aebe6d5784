"""A mock server and a collection of requests, from the portable specification.

Prism validates each recorded request against the document and responds with one of its examples.
openapi-to-postmanv2 writes a collection that Postman and Bruno import.
"""

from __future__ import annotations

import queue
import re
import socket
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from codegen import npm
from codegen.documents import load_json
from codegen.openapi import resolved
from codegen.paths import EXAMPLES, PORTABLE30, PORTABLE31
from conformance.portable.generators import NODE, OUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codegen.documents import Json

START_SECONDS = 120.0


def write_collection() -> Path:
    """Write the collection, with the recorded requests and responses; return its path."""
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "tinker.postman_collection.json"
    resolution = (
        *("folderStrategy=Tags", "parametersResolution=Example"),
        *("requestParametersResolution=Example", "exampleParametersResolution=Example"),
    )
    options = ("-p", "-O", ",".join(resolution))
    npm.run(NODE, "openapi2postmanv2", "-s", str(PORTABLE30), "-o", str(path), *options)
    return path


def check_mock() -> tuple[int, list[str]]:
    """Send one recorded request of each operation; return their number and the problems."""
    document, examples = load_json(PORTABLE31), load_json(EXAMPLES)
    problems = []
    count = 0
    with mock_server() as url, httpx.Client(base_url=url, timeout=START_SECONDS) as client:
        for path, item in document["paths"].items():
            for method, operation in item.items():
                name = operation["operationId"]
                recorded = [*examples[name].values()]
                count += 1
                response = _send(client, method, path, document, operation, recorded)
                if problem := _problem(operation, response, recorded):
                    problems.append(f"{name}: {problem}")
    return count, problems


def _send(
    client: httpx.Client,
    method: str,
    path: str,
    document: Json,
    operation: Json,
    recorded: list[Json],
) -> httpx.Response:
    example = next((item for item in recorded if "request" in item), recorded[0])
    values = example.get("parameters", {})
    query = {}
    for parameter in operation.get("parameters", []):
        described = resolved(document, parameter)
        name = described["name"]
        if described["in"] == "path":
            path = path.replace(f"{{{name}}}", quote(values[name], safe=""))
        elif described["in"] == "query" and name in values:
            query[name] = values[name]
    body = {"json": example["request"]} if "request" in example else {}
    return client.request(method, path, params=query, headers={"X-API-Key": "tml-any"}, **body)


def _problem(operation: Json, response: httpx.Response, recorded: list[Json]) -> str | None:
    if response.status_code not in (200, 302):
        return f"HTTP {response.status_code}: {response.text[:300]}"
    if "content" not in operation["responses"]["200"]:
        return None
    values = [item["response"] for item in recorded if "response" in item]
    if values and response.json() not in values:
        return f"the response is not a recorded one: {response.text[:300]}"
    return None


@contextmanager
def mock_server() -> Iterator[str]:
    """The URL of a running Prism.

    Raises:
        npm.ToolError: it did not start.
    """
    npm.install(NODE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ("node_modules/.bin/prism", "mock", "--port", str(port), str(PORTABLE31))
    process = subprocess.Popen(
        command, cwd=NODE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        _wait_for_start(lines)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
        reader.join()


def _read(stream: Any, lines: queue.Queue[str]) -> None:
    for line in stream:
        lines.put(line)


def _wait_for_start(lines: queue.Queue[str]) -> None:
    seen = []
    while True:
        try:
            seen.append(lines.get(timeout=START_SECONDS))
        except queue.Empty:
            raise npm.ToolError(f"prism did not start:\n{''.join(seen)}") from None
        if re.search("listening on", seen[-1]):
            return
