"""A responder for every operation of every release, with canned results.

It does not train. Its responses are valid under the specification of each release, so a run proves
that the client accepts such responses.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field, frozen

from codegen.documents import Json
from conformance.interop import result_payloads
from conformance.interop.canned_responses import CANNED_RESPONSES, MODEL, RUN, SAMPLER
from conformance.interop.recorder import JSON_TYPE, PROTOBUF_TYPE, Message, Request, Response

TOKEN_SECONDS = 3600


@frozen
class _Result:
    """The result of a submitted request, in JSON and, for some operations, in protobuf."""

    json: Json
    message: bytes | None = None


@define
class ScriptedServer:
    """The responses of one run. `flags` and `dynamic_flags` configure the client."""

    flags: Mapping[str, Any] = field(factory=dict)
    dynamic_flags: Mapping[str, Any] = field(factory=dict)
    _results: dict[str, _Result] = field(factory=dict)
    _polled: set[str] = field(factory=set)
    _finished: list[str] = field(factory=list)
    _numbers: itertools.count[int] = field(factory=itertools.count)

    async def __call__(self, request: Request) -> Response:
        name = f"{request.method} {request.path.removeprefix('/api/v1/')}"
        own = getattr(self, "_" + re.sub(r"\W", "_", request.path.removeprefix("/api/v1/")), None)
        if own is not None and request.method == "POST":
            respond: Callable[[Request], Response] = own
            return respond(request)
        for pattern, status, content, headers in CANNED_RESPONSES:
            if re.fullmatch(pattern, name):
                return _json_response(content, status, headers)
        return _json_response({"detail": "Not Found"}, 404)

    async def close(self) -> None:
        """Does nothing: no resources are open."""

    def _client_config(self, request: Request) -> Response:
        return _json_response(dict(self.flags))

    def _client_dynamic_config(self, request: Request) -> Response:
        return _json_response(dict(self.dynamic_flags))

    def _auth_token(self, request: Request) -> Response:
        now = int(time.time())
        claims = {"sub": "tml:user:1", "org_id": "1", "email": "a@b.c", "iat": now}
        return _json_response({"jwt": _unsigned({**claims, "exp": now + TOKEN_SECONDS})})

    def _create_model(self, request: Request) -> Response:
        return self._submit({"type": "create_model", "model_id": MODEL})

    def _unload_model(self, request: Request) -> Response:
        return self._submit({"type": "unload_model", "model_id": MODEL})

    def _forward(self, request: Request) -> Response:
        return self._submit_loss(
            result_payloads.lengths_of_json(_read(request)["forward_input"]["data"])
        )

    def _forward_backward(self, request: Request) -> Response:
        if request.message.media_type == PROTOBUF_TYPE:
            return self._submit_loss(result_payloads.lengths_of_message(request.message.decoded)[0])
        body = json.loads(request.message.decoded)
        return self._submit_loss(
            result_payloads.lengths_of_json(body["forward_backward_input"]["data"])
        )

    def _submit_loss(self, lengths: list[int]) -> Response:
        return self._submit(
            result_payloads.loss_as_json(lengths), result_payloads.loss_as_message(lengths)
        )

    def _optim_step(self, request: Request) -> Response:
        return self._submit({"metrics": {"step:max": 1.0}})

    def _create_custom_loss(self, request: Request) -> Response:
        return self._submit({"type": "create_custom_loss", "loss_id": "loss-1"})

    def _save_weights(self, request: Request) -> Response:
        return self._submit({"type": "save_weights", "path": self._path(request, "weights")})

    def _load_weights(self, request: Request) -> Response:
        body = _read(request)
        created = f"{body.get('session_id')}:train:{body.get('model_seq_id')}"
        model = body.get("model_id") or created
        return self._submit({"type": "load_weights", "path": body["path"], "model_id": model})

    def _save_weights_for_sampler(self, request: Request) -> Response:
        kind = {"type": "save_weights_for_sampler"}
        if _read(request).get("path") is None:
            return self._submit({**kind, "sampling_session_id": SAMPLER})
        return self._submit({**kind, "path": self._path(request, "sampler_weights")})

    def _save_weights_external(self, request: Request) -> Response:
        path = self._path(request, "external_weights")
        return self._submit({"type": "save_weights_external", "path": path, "size_bytes": 1024})

    def _path(self, request: Request, kind: str) -> str:
        return f"tinker://{RUN}/{kind}/{_read(request).get('path') or 'unnamed'}"

    def _asample(self, request: Request) -> Response:
        body = _read(request)
        ids = [f"sequence-{number}" for number in range(body.get("num_samples", 1))]
        message = result_payloads.sample_as_message(body)
        return self._submit(result_payloads.sample_as_json(body), message, sample_sequence_ids=ids)

    def _submit(self, result: Json, message: bytes | None = None, **more: Any) -> Response:
        request_id = f"request-{next(self._numbers)}"
        self._results[request_id] = _Result(result, message)
        self._finished.append(request_id)
        return _json_response({"request_id": request_id, "model_id": MODEL, **more})

    def _retrieve_future(self, request: Request) -> Response:
        """Every third result needs a second poll; large ones may be announced by their size."""
        body = _read(request)
        request_id = body["request_id"]
        result = self._results.get(request_id)
        if result is None:
            return _json_response({"detail": "Future not found"}, 404)
        first = request_id not in self._polled
        self._polled.add(request_id)
        if first and int(request_id.rpartition("-")[2]) % 3 == 0:
            waiting = {"queue_state": "paused_capacity", "queue_state_reason": "a crowd"}
            return _json_response({"type": "try_again", "request_id": request_id, **waiting})
        as_message = PROTOBUF_TYPE in request.message.headers.get("accept", "")
        if result.message is not None and body.get("allow_metadata_only"):
            size = len(result.message)
            return _json_response({"status": "complete_metadata", "response_payload_size": size})
        if result.message is not None and as_message:
            return Response(200, Message({"content-type": PROTOBUF_TYPE}, result.message))
        return _json_response(result.json)

    def _retrieve_futures(self, request: Request) -> Response:
        """The results that finished since the cursor, which is an index into `_finished`."""
        since = _read(request).get("prev_cursor", 0)
        completions = [
            {"state": "finished", "request_id": name, "response_payload_uncompressed_size": 100}
            for name in self._finished[since:]
        ]
        return _json_response({"completions": completions, "cursor": len(self._finished)})

    def _session_heartbeat(self, request: Request) -> Response:
        return _json_response({"type": "session_heartbeat"})

    def _create_sampling_session(self, request: Request) -> Response:
        return _json_response({"type": "create_sampling_session", "sampling_session_id": SAMPLER})


def _read(request: Request) -> Json:
    body: Json = json.loads(request.message.body)
    return body


def _json_response(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    body = b"" if content is None else json.dumps(content).encode()
    return Response(status, Message({"content-type": JSON_TYPE, **(headers or {})}, body))


def _unsigned(claims: Json) -> str:
    """A syntactically valid token without a signature (RFC 7519 section 6)."""
    parts = ({"alg": "none"}, claims)
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return b".".join([*encoded, b"unsigned"]).decode()
