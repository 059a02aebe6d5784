"""What every handler gets and gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, frozen
from starlette.responses import Response

from tinker_ext.embedded.access import Access
from tinker_ext.embedded.checkpoints.names import BadNameError, CheckpointName
from tinker_ext.embedded.execution.answers import encoded
from tinker_ext.embedded.rejections import RejectedRequestError
from tinker_ext.embedded.validation_errors import fault, unprocessable

if TYPE_CHECKING:
    from starlette.requests import Request

    from tinker_ext.embedded.backend import Backend
    from tinker_ext.embedded.store import CheckpointRecord, RunRecord
    from tinker_ext.embedded.validation import Specification

# Numbers of the API are counted, never astronomical; this is what JSON readers agree on (RFC 8259,
# section 6).
MAX_NUMBER = 2**53 - 1
# But for those of samples: each copy of a client of 0.38.0 counts from a random multiple of a
# thousand million, up to 10**18 (lib/public_interfaces/sampling_client.py).
MAX_SAMPLE_NUMBER = 2**63 - 1


@frozen
class Call:
    """One request that fits the specification. `size` is that of its body, in bytes.

    `access` knows the address of this server.
    A body is either JSON, in `body`, or a protobuf message, still as bytes in `message`.
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
        """The parts of the path that the specification names."""
        return self.request.path_params

    def number(self, name: str, *, at_least: int = 0, at_most: int = MAX_NUMBER) -> int | None:
        """A counting number of the body, which may be missing, null, or written 1.0.

        Raises:
            RefusalError: it is negative or astronomical (422).
        """
        value = self.body.get(name)
        if value is None:
            return None
        if not at_least <= value <= at_most:
            message = f"must be from {at_least} to {at_most}"
            raise unprocessable([fault(("body", name), "greater_than_equal", message)])
        return int(value)

    def seq_id(self) -> int | None:
        """The place in the order of a model's requests, which starts at 1."""
        return self.number("seq_id", at_least=1)

    def told(self, schema: str, content: dict[str, Any]) -> dict[str, Any]:
        """The content without what an answer of this kind does not have in the dialect spoken."""
        return {
            name: value for name, value in content.items() if self.specification.knows(schema, name)
        }

    def run(self, run_id: str) -> RunRecord:
        """The training run of that id.

        Raises:
            RefusalError: there is none (404).
        """
        run = self.backend.runs.get(run_id)
        if run is None:
            raise RejectedRequestError(404, f"there is no training run {run_id!r} here")
        return run


def checkpoint_of(backend: Backend, path: str, where: str) -> tuple[CheckpointRecord, RunRecord]:
    """The checkpoint of a tinker:// path, and the run it is of; `where` is the field.

    Raises:
        RefusalError: it is no path (422), or there is no such checkpoint (404).
    """
    try:
        name = CheckpointName.parse(path)
    except BadNameError as error:
        raise unprocessable([fault(("body", where), "value_error", str(error))]) from None
    record, run = backend.checkpoints.get(name), backend.runs.get(name.run_id)
    if run is None:
        raise RejectedRequestError(
            404,
            f"there is no checkpoint {path} here, nor anything else of its run: what is to outlive "
            "a backend needs a folder, TINKER_EMBEDDED_DIR",
        )
    if record is None:
        raise RejectedRequestError(404, f"there is no checkpoint {path} here")
    return record, run


def no_session(session_id: str) -> RejectedRequestError:
    """What a request of an unknown session is answered with."""
    return RejectedRequestError(
        404, f"there is no session {session_id!r} here; a new client (ServiceClient) opens one"
    )


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


def answer(content: object, status: int = 200) -> Response:
    """A JSON response."""
    return Response(encoded(content), status, media_type="application/json")


def submitted(request_id: str, model_id: str | None = None, **more: object) -> Response:
    """The response to submitted work: where its result will be found."""
    content: dict[str, object] = {"request_id": request_id, **more}
    if model_id is not None:
        content["model_id"] = model_id
    return answer(content)


def done() -> Response:
    """The response of operations that have nothing to tell."""
    return Response()


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
