"""The request that a handler receives, and the responses it returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, frozen
from starlette.responses import Response

from tinker_ext.embedded.access import Access
from tinker_ext.embedded.checkpoints.names import BadNameError, CheckpointName
from tinker_ext.embedded.errors import RejectedRequestError
from tinker_ext.embedded.execution.results import encode_json
from tinker_ext.embedded.validation_errors import field_error

if TYPE_CHECKING:
    from starlette.requests import Request

    from tinker_ext.embedded.backend import Backend
    from tinker_ext.embedded.store import CheckpointRecord, RunRecord
    from tinker_ext.embedded.validation import Specification

# The largest integer that all JSON parsers read exactly (RFC 8259, section 6).
MAX_NUMBER = 2**53 - 1
# For samples: each copy of a 0.38.0 client counts from a random multiple of 10**9, up to 10**18
# (lib/public_interfaces/sampling_client.py).
MAX_SAMPLE_NUMBER = 2**63 - 1


@frozen
class Call:
    """One validated request.

    A body is either JSON, decoded in `body`, or a protobuf message, encoded in `message`; `size` is
    its size in bytes. `access` provides the server's URL.
    """

    backend: Backend
    specification: Specification
    request: Request
    body: Mapping[str, Any] = field(factory=dict)
    query: Mapping[str, Any] = field(factory=dict)
    message: bytes | None = None
    size: int = 0
    access: Access = field(factory=Access)

    @property
    def path(self) -> Mapping[str, str]:
        """The path parameters."""
        return self.request.path_params

    def number(self, name: str, *, at_least: int = 0, at_most: int = MAX_NUMBER) -> int | None:
        """An integer field of the body, which may be missing, null, or written as 1.0.

        Raises:
            RejectedRequestError: the value is out of range (422).
        """
        value = self.body.get(name)
        if value is None:
            return None
        if not at_least <= value <= at_most:
            message = f"must be from {at_least} to {at_most}"
            raise field_error(name, "greater_than_equal", message)
        return int(value)

    def seq_id(self) -> int | None:
        """The sequence number of a request on a model, which starts at 1."""
        return self.number("seq_id", at_least=1)

    def known_fields(self, schema: str, content: dict[str, Any]) -> dict[str, Any]:
        """The content without the fields that the schema lacks in this protocol."""
        has = self.specification.has_property
        return {name: value for name, value in content.items() if has(schema, name)}

    def run(self, run_id: str) -> RunRecord:
        """The training run with this id.

        Raises:
            RejectedRequestError: it does not exist (404).
        """
        run = self.backend.runs.get(run_id)
        if run is None:
            raise RejectedRequestError(404, f"there is no training run {run_id!r} on this server")
        return run


def checkpoint_of(backend: Backend, path: str, where: str) -> tuple[CheckpointRecord, RunRecord]:
    """The checkpoint of a tinker:// path, and its run; `where` is the field with the path.

    Raises:
        RejectedRequestError: the path is invalid (422), or the checkpoint does not exist (404).
    """
    try:
        name = CheckpointName.parse(path)
    except BadNameError as error:
        raise field_error(where, "value_error", str(error)) from None
    record, run = backend.checkpoints.get(name), backend.runs.get(name.run_id)
    if run is None:
        raise RejectedRequestError(
            404,
            f"there is no checkpoint {path} on this server, and its run is unknown too. A server "
            "keeps its checkpoints in its state folder: set one with TINKER_EMBEDDED_DIR or "
            "embedded_dir=, and keep it",
        )
    if record is None:
        raise RejectedRequestError(404, f"there is no checkpoint {path} on this server")
    return record, run


def unknown_session(session_id: str) -> RejectedRequestError:
    """A 404 response for a session that does not exist."""
    return RejectedRequestError(
        404,
        f"there is no session {session_id!r} on this server; create a new client (ServiceClient)",
    )


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


def json_response(content: object, status: int = 200) -> Response:
    """A JSON response."""
    return Response(encode_json(content), status, media_type="application/json")


def submitted(request_id: str, model_id: str | None = None, **fields: object) -> Response:
    """The response to a submission: the id with which to retrieve the result."""
    content: dict[str, object] = {"request_id": request_id, **fields}
    if model_id is not None:
        content["model_id"] = model_id
    return json_response(content)


def empty_response() -> Response:
    """A response without a body."""
    return Response()


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
