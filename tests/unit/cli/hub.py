"""A hub on loopback: the part of the HTTP API of huggingface.co that an upload uses."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "hf_TESTTOKEN0123456789"
USER = "me"
COMMIT = "c" * 40


@define
class Hub:
    """Repositories by name, each with the files of its branches."""

    url: str = ""
    #: Files by repository, branch and name.
    files: dict[tuple[str, str], dict[str, bytes]] = field(factory=dict)
    private: dict[str, bool] = field(factory=dict)
    #: Contents uploaded with LFS, by hash.
    large: dict[str, bytes] = field(factory=dict)
    commits: list[dict[str, Any]] = field(factory=list)
    pull_requests: int = 0
    rejects_token: bool = False


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(_Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Hub

    def log_message(self, *args: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        path = self._path()
        if path == "api/whoami-v2":
            self._authorized({"name": USER, "type": "user", "auth": {}})
        elif "/resolve/" in path:
            self._resolve(path)
        else:
            self._reply(404, {"error": f"GET {path}"})

    do_HEAD = do_GET  # noqa: N815  # the name that `http.server` looks up

    def do_POST(self) -> None:
        path = self._path()
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if path == "api/repos/create":
            request = json.loads(body)
            repository = f"{request.get('organization') or USER}/{request['name']}"
            # Releases before 2.0 of huggingface_hub send `private`.
            private = request.get("private", request.get("visibility") == "private")
            self.state.private.setdefault(repository, private)
            self.state.files.setdefault((repository, "main"), {})
            self._authorized({"url": f"{self.state.url}/{repository}"})
        elif path == "api/validate-yaml":
            valid = json.loads(body)["content"].startswith("---\nbase_model: ")
            errors = [] if valid else [{"message": "no metadata"}]
            self._reply(200 if valid else 400, {"errors": errors, "warnings": []})
        elif path.endswith("/info/lfs/objects/batch"):
            self._lfs_batch(json.loads(body))
        elif "/preupload/" in path:
            files = json.loads(body)["files"]
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in files
            ]
            self._authorized({"files": modes})
        elif "/branch/" in path:
            repository, _, branch = path.removeprefix("api/models/").partition("/branch/")
            main = self.state.files[repository, "main"]
            self.state.files.setdefault((repository, branch), dict(main))
            self._authorized({})
        elif "/commit/" in path:
            self._commit(path, body)
        else:
            self._reply(404, {"error": f"POST {path}"})

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.state.large[hashlib.sha256(body).hexdigest()] = body
        self._reply(200, {})

    def _commit(self, path: str, body: bytes) -> None:
        repository, _, branch = path.removeprefix("api/models/").partition("/commit/")
        branch, _, query = branch.partition("?")
        lines = [json.loads(line) for line in body.splitlines()]
        target = dict(self.state.files[repository, branch])
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                self.state.commits.append(value)
            elif line["key"] == "file":
                target[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                target[value["path"]] = self.state.large[value["oid"]]
        reply = {"commitUrl": f"{self.state.url}/{repository}/commit/{COMMIT}", "commitOid": COMMIT}
        if "create_pr=1" in query:
            self.state.pull_requests += 1
            reply["pullRequestUrl"] = f"{self.state.url}/{repository}/discussions/1"
        else:
            self.state.files[repository, branch] = target
        self._authorized(reply)

    def _lfs_batch(self, request: dict[str, Any]) -> None:
        upload = f"{self.state.url}/lfs-upload"
        objects = [
            {
                "oid": item["oid"],
                "size": item["size"],
                "actions": {"upload": {"href": upload, "header": {}}},
            }
            for item in request["objects"]
        ]
        self._authorized({"transfer": "basic", "objects": objects})

    def _resolve(self, path: str) -> None:
        repository, _, rest = path.partition("/resolve/")
        branch, _, name = rest.partition("/")
        files = self.state.files.get((repository, branch))
        if files is None:
            return self._reply(404, {}, {"x-error-code": "RevisionNotFound"})
        if name not in files:
            return self._reply(404, {}, {"x-error-code": "EntryNotFound"})
        headers = {"etag": '"e"', "x-repo-commit": COMMIT, "content-type": "text/plain"}
        return self._send(200, files[name], headers)

    def _path(self) -> str:
        return unquote(self.path.lstrip("/"))

    def _authorized(self, content: object) -> None:
        authorization = self.headers.get("authorization")
        if authorization != f"Bearer {TOKEN}" or self.state.rejects_token:
            self._reply(401, {"error": "Invalid credentials"})
        else:
            self._reply(200, content)

    def _reply(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        self._send(
            status,
            json.dumps(content).encode(),
            {"content-type": "application/json", **(headers or {})},
        )

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
