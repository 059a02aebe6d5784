"""The frame around a client's work."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from tinker_ext.embedded.refusals import RefusalError
from tinker_ext.embedded.routes.call import answer
from tinker_ext.embedded.store import SessionRecord

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call


async def create_session(call: Call) -> Response:
    now = time.time()
    record = SessionRecord(
        session_id=str(uuid.uuid4()),
        created=now,
        last_heartbeat=now,
        sdk_version=call.body["sdk_version"],
        tags=call.body["tags"],
        user_metadata=call.body["user_metadata"],
    )
    call.backend.sessions.add(record)
    return answer({"type": "create_session", "session_id": record.session_id})


async def session_heartbeat(call: Call) -> Response:
    session_id = call.body["session_id"]
    if not call.backend.sessions.heartbeat(session_id, time.time()):
        raise RefusalError(404, f"there is no session {session_id!r} here")
    return answer({"type": "session_heartbeat"})
