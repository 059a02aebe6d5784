"""Creates, continues and finishes sessions."""

from __future__ import annotations

import sqlite3
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from tinker_ext.embedded.errors import RejectedRequestError
from tinker_ext.embedded.routes.call import empty_response, json_response, unknown_session
from tinker_ext.embedded.routes.models import text_metadata
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
        project_id=call.body.get("project_id"),
        display_name=call.body.get("display_name"),
    )
    call.backend.sessions.add(record)
    return json_response({"type": "create_session", "session_id": record.session_id})


async def session_heartbeat(call: Call) -> Response:
    session_id = call.body["session_id"]
    if _session(call, session_id).finished is not None:
        raise RejectedRequestError(410, f"session {session_id!r} was finished by its client")
    # The session continues even if the disk is full.
    with suppress(sqlite3.Error):
        call.backend.sessions.update(session_id, last_heartbeat=time.time())
    return json_response({"type": "session_heartbeat"})


async def finish_session(call: Call) -> Response:
    """Reject further heartbeats. The session's models stay loaded until they are evicted."""
    session_id = call.path["session_id"]
    if not call.backend.sessions.update(session_id, finished=dict(call.body)):
        raise unknown_session(session_id)
    return empty_response()


async def list_sessions(call: Call) -> Response:
    """All sessions, newest first."""
    page = call.backend.sessions.page(limit=call.query["limit"], offset=call.query["offset"])
    return json_response({"sessions": [record.session_id for record in page]})


async def get_session(call: Call) -> Response:
    record = _session(call, call.path["session_id"])
    content = {
        "training_run_ids": call.backend.runs.ids_of_session(record.session_id),
        "sampler_ids": call.backend.samplers.ids_of_session(record.session_id),
        "user_metadata": text_metadata(record.user_metadata),
        "display_name": record.display_name,
    }
    return json_response(call.known_fields("GetSessionResponse", content))


async def set_session_project(call: Call) -> Response:
    session_id = call.path["session_id"]
    if not call.backend.sessions.update(session_id, project_id=call.body["project_id"]):
        raise unknown_session(session_id)
    return empty_response()


def _session(call: Call, session_id: str) -> SessionRecord:
    record = call.backend.sessions.get(session_id)
    if record is None:
        raise unknown_session(session_id)
    return record
