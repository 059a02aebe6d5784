"""Tokens in place of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.embedded.routes.call import answer

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call


async def create_auth_token(call: Call) -> Response:
    """A token for the key: for any, unless the server was started with one."""
    return answer({"jwt": call.backend.tokens.issue(call.request.headers.get("X-API-Key"))})
