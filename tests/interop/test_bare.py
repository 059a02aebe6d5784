"""Answers are stripped of what need not be in them, and of nothing else."""

from __future__ import annotations

import json
from typing import Any

from attrs import frozen
from interop.bare import Bare
from interop.contract import contract
from interop.recorder import JSON_TYPE, Answered, Asked, Message

RELEASE = "0.38.0"
EVENT = {
    "bucket_start": "2026-07-01T12:00:00Z",
    "bucket_end": "2026-07-01T13:00:00Z",
    "user_name": "A",
    "event_info": {"type": "storage", "free": True, "gigabyte_hours": 1.5},
}


@frozen
class Always:
    """Answers the same to all."""

    content: Any

    async def __call__(self, asked: Asked) -> Answered:
        return Answered(
            200, Message({"content-type": JSON_TYPE}, json.dumps(self.content).encode())
        )

    async def close(self) -> None:
        pass


async def bare(method: str, path: str, content: Any, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = Asked(method, f"/api/v1/{path}", "", Message({"content-type": JSON_TYPE, **named}, b""))
    responder = Bare(Always(content), contract(RELEASE), kept=frozenset({"Kept.not"}))
    return json.loads((await responder(asked)).message.body)


async def test_optional_fields_are_left_out() -> None:
    full = {"session_id": "s", "type": "create_session", "info_message": "welcome"}
    assert await bare("POST", "create_session", full) == {"session_id": "s"}


async def test_those_of_parts_too_but_not_what_tells_parts_apart() -> None:
    full: dict[str, Any] = {
        "data": [EVENT],
        "sessions": {"s": {"user_metadata": {}}},
        "cost_data_through": None,
    }
    least = {name: value for name, value in EVENT.items() if name != "user_name"}
    least["event_info"] = {"type": "storage", "gigabyte_hours": 1.5}
    assert await bare("GET", "billing/usage/events", full) == {"data": [least]}


async def test_a_result_is_read_as_what_was_asked_for() -> None:
    full = {"path": "tinker://r/weights/x", "type": "save_weights"}
    found = await bare("POST", "retrieve_future", full, x_tinker_request_type="SaveWeights")
    assert found == {"path": "tinker://r/weights/x"}


async def test_what_no_operation_answers_stays() -> None:
    assert await bare("GET", "nothing", {"a": 1}) == {"a": 1}
