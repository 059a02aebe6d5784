"""Telemetry is taken, counted and dropped: nothing about the user's work is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.embedded.routes.call import answer

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call


async def send_telemetry(call: Call) -> Response:
    call.backend.sessions.count_telemetry(call.body["session_id"], len(call.body["events"]))
    return answer({"status": "accepted"})
