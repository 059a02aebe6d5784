"""What the server offers, and whether it is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.embedded.routes.call import answer

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call


async def get_health(call: Call) -> Response:
    return answer({"status": "ok"})


async def get_server_capabilities(call: Call) -> Response:
    from tinker_ext.embedded.engine.model import BASE_MODELS

    return answer({"supported_models": [{"model_name": name} for name in BASE_MODELS]})
