"""Only optional fields are removed from responses."""

from __future__ import annotations

import json
from typing import Any

from attrs import frozen

from conformance.interop.contract import load_contract
from conformance.interop.minimal_responses import MinimalResponder
from conformance.interop.recorder import JSON_TYPE, Message, Request, Response

RELEASE = "0.38.0"
EVENT = {
    "bucket_start": "2026-07-01T12:00:00Z",
    "bucket_end": "2026-07-01T13:00:00Z",
    "user_name": "A",
    "event_info": {"type": "storage", "free": True, "gigabyte_hours": 1.5},
}


@frozen
class Always:
    """Responds to every request with the same content."""

    content: Any

    async def __call__(self, request: Request) -> Response:
        return Response(
            200, Message({"content-type": JSON_TYPE}, json.dumps(self.content).encode())
        )

    async def close(self) -> None:
        pass


async def minimal(method: str, path: str, content: Any, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request(
        method, f"/api/v1/{path}", "", Message({"content-type": JSON_TYPE, **named}, b"")
    )
    responder = MinimalResponder(
        Always(content), load_contract(RELEASE), retained=frozenset({"Kept.not"})
    )
    return json.loads((await responder(request)).message.body)


async def test_optional_fields_are_removed() -> None:
    full = {"session_id": "s", "type": "create_session", "info_message": "welcome"}
    assert await minimal("POST", "create_session", full) == {"session_id": "s"}


async def test_nested_optional_fields_are_removed_but_union_tags_are_kept() -> None:
    full: dict[str, Any] = {
        "data": [EVENT],
        "sessions": {"s": {"user_metadata": {}}},
        "cost_data_through": None,
    }
    expected = {name: value for name, value in EVENT.items() if name != "user_name"}
    expected["event_info"] = {"type": "storage", "gigabyte_hours": 1.5}
    assert await minimal("GET", "billing/usage/events", full) == {"data": [expected]}


async def test_result_has_the_type_of_the_original_request() -> None:
    full = {"path": "tinker://r/weights/x", "type": "save_weights"}
    response = await minimal("POST", "retrieve_future", full, x_tinker_request_type="SaveWeights")
    assert response == {"path": "tinker://r/weights/x"}


async def test_response_of_unknown_operation_is_unchanged() -> None:
    assert await minimal("GET", "nothing", {"a": 1}) == {"a": 1}
