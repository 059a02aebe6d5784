"""A server of every operation of every release, that learns nothing and keeps next to nothing.

For the releases that the embedded backend does not speak. Its answers are made up, in the shape
that the specification of the release gives them: what they prove is that such answers are taken.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from interop import arrays
from interop.recorder import JSON_TYPE, PROTOBUF_TYPE, Answered, Message
from interop.stock import MODEL, RUN, SAMPLER, STOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codegen.documents import Json
    from interop.recorder import Asked

TOKEN_SECONDS = 3600


@frozen
class _Work:
    """The result of submitted work, in JSON and, for some, in protobuf; how often it is not yet."""

    json: Json
    message: bytes | None = None


@define
class Scripted:
    """Answers of one run. `flags` and `dynamic_flags` are what configures clients."""

    flags: Mapping[str, Any] = field(factory=dict)
    dynamic_flags: Mapping[str, Any] = field(factory=dict)
    _work: dict[str, _Work] = field(factory=dict)
    _polled: set[str] = field(factory=set)
    _finished: list[str] = field(factory=list)
    _numbers: itertools.count[int] = field(factory=itertools.count)

    async def __call__(self, asked: Asked) -> Answered:
        name = f"{asked.method} {asked.path.removeprefix('/api/v1/')}"
        own = getattr(self, "_" + re.sub(r"\W", "_", asked.path.removeprefix("/api/v1/")), None)
        if own is not None and asked.method == "POST":
            answer: Callable[[Asked], Answered] = own
            return answer(asked)
        for pattern, status, content, headers in STOCK:
            if re.fullmatch(pattern, name):
                return _answer(content, status, headers)
        return _answer({"detail": "Not Found"}, 404)

    async def close(self) -> None:
        """Nothing is open."""

    def _client_config(self, asked: Asked) -> Answered:
        return _answer(dict(self.flags))

    def _client_dynamic_config(self, asked: Asked) -> Answered:
        return _answer(dict(self.dynamic_flags))

    def _auth_token(self, asked: Asked) -> Answered:
        now = int(time.time())
        claims = {"sub": "tml:user:1", "org_id": "1", "email": "a@b.c", "iat": now}
        return _answer({"jwt": _unsigned({**claims, "exp": now + TOKEN_SECONDS})})

    def _create_model(self, asked: Asked) -> Answered:
        return self._submit({"type": "create_model", "model_id": MODEL})

    def _unload_model(self, asked: Asked) -> Answered:
        return self._submit({"type": "unload_model", "model_id": MODEL})

    def _forward(self, asked: Asked) -> Answered:
        return self._submit_loss(arrays.lengths_of_json(_read(asked)["forward_input"]["data"]))

    def _forward_backward(self, asked: Asked) -> Answered:
        if asked.message.media_type == PROTOBUF_TYPE:
            return self._submit_loss(arrays.lengths_of_message(asked.message.decoded)[0])
        body = json.loads(asked.message.decoded)
        return self._submit_loss(arrays.lengths_of_json(body["forward_backward_input"]["data"]))

    def _submit_loss(self, lengths: list[int]) -> Answered:
        return self._submit(arrays.loss_as_json(lengths), arrays.loss_as_message(lengths))

    def _optim_step(self, asked: Asked) -> Answered:
        return self._submit({"metrics": {"step:max": 1.0}})

    def _create_custom_loss(self, asked: Asked) -> Answered:
        return self._submit({"type": "create_custom_loss", "loss_id": "loss-1"})

    def _save_weights(self, asked: Asked) -> Answered:
        return self._submit({"type": "save_weights", "path": self._path(asked, "weights")})

    def _load_weights(self, asked: Asked) -> Answered:
        body = _read(asked)
        created = f"{body.get('session_id')}:train:{body.get('model_seq_id')}"
        model = body.get("model_id") or created
        return self._submit({"type": "load_weights", "path": body["path"], "model_id": model})

    def _save_weights_for_sampler(self, asked: Asked) -> Answered:
        kind = {"type": "save_weights_for_sampler"}
        if _read(asked).get("path") is None:
            return self._submit({**kind, "sampling_session_id": SAMPLER})
        return self._submit({**kind, "path": self._path(asked, "sampler_weights")})

    def _save_weights_external(self, asked: Asked) -> Answered:
        path = self._path(asked, "external_weights")
        return self._submit({"type": "save_weights_external", "path": path, "size_bytes": 1024})

    def _path(self, asked: Asked, kind: str) -> str:
        return f"tinker://{RUN}/{kind}/{_read(asked).get('path') or 'unnamed'}"

    def _asample(self, asked: Asked) -> Answered:
        body = _read(asked)
        ids = [f"sequence-{number}" for number in range(body.get("num_samples", 1))]
        message = arrays.sample_as_message(body)
        return self._submit(arrays.sample_as_json(body), message, sample_sequence_ids=ids)

    def _submit(self, result: Json, message: bytes | None = None, **more: Any) -> Answered:
        request_id = f"request-{next(self._numbers)}"
        self._work[request_id] = _Work(result, message)
        self._finished.append(request_id)
        return _answer({"request_id": request_id, "model_id": MODEL, **more})

    def _retrieve_future(self, asked: Asked) -> Answered:
        """Every third request is not ready at first; large ones are announced before they come."""
        body = _read(asked)
        request_id = body["request_id"]
        work = self._work.get(request_id)
        if work is None:
            return _answer({"detail": "Future not found"}, 404)
        first = request_id not in self._polled
        self._polled.add(request_id)
        if first and int(request_id.rpartition("-")[2]) % 3 == 0:
            waiting = {"queue_state": "paused_capacity", "queue_state_reason": "a crowd"}
            return _answer({"type": "try_again", "request_id": request_id, **waiting})
        as_message = PROTOBUF_TYPE in asked.message.headers.get("accept", "")
        if work.message is not None and body.get("allow_metadata_only"):
            size = len(work.message)
            return _answer({"status": "complete_metadata", "response_payload_size": size})
        if work.message is not None and as_message:
            return Answered(200, Message({"content-type": PROTOBUF_TYPE}, work.message))
        return _answer(work.json)

    def _retrieve_futures(self, asked: Asked) -> Answered:
        """All that is finished and was not told of yet, by a cursor into the list of it."""
        since = _read(asked).get("prev_cursor", 0)
        told = [
            {"state": "finished", "request_id": one, "response_payload_uncompressed_size": 100}
            for one in self._finished[since:]
        ]
        return _answer({"completions": told, "cursor": len(self._finished)})

    def _session_heartbeat(self, asked: Asked) -> Answered:
        return _answer({"type": "session_heartbeat"})

    def _create_sampling_session(self, asked: Asked) -> Answered:
        return _answer({"type": "create_sampling_session", "sampling_session_id": SAMPLER})


def _read(asked: Asked) -> Json:
    body: Json = json.loads(asked.message.body)
    return body


def _answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answered:
    body = b"" if content is None else json.dumps(content).encode()
    return Answered(status, Message({"content-type": JSON_TYPE, **(headers or {})}, body))


def _unsigned(claims: Json) -> str:
    """A token that reads as one and proves nothing (RFC 7519 section 6)."""
    parts = ({"alg": "none"}, claims)
    encoded = (base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in parts)
    return b".".join([*encoded, b"unsigned"]).decode()
