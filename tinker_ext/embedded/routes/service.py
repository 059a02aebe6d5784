"""What the server offers, how it wants to be used, and whether it is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.embedded.flags import announced
from tinker_ext.embedded.routes.call import answer

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call


async def get_health(call: Call) -> Response:
    return answer({"status": "ok"})


async def get_server_capabilities(call: Call) -> Response:
    from tinker_ext.embedded.engine.model import BASE_MODELS, load_base_model

    models = [
        {
            "model_name": name,
            "max_context_length": load_base_model(name).max_context,
            "trainable": True,
            "sampleable": True,
        }
        for name in BASE_MODELS
    ]
    return answer({"supported_models": [call.told("SupportedModel", one) for one in models]})


async def get_client_config(call: Call) -> Response:
    """Every flag of the dialect as clients assume it anyway, unless it was told otherwise."""
    flags = announced(call.specification, "ClientConfigResponse", call.backend.flags)
    if call.backend.tokens.demanded:
        flags |= {"pjwt_auth_enabled": True}
    return answer(flags)


async def get_client_dynamic_config(call: Call) -> Response:
    return answer(announced(call.specification, "ClientDynamicConfigResponse", call.backend.flags))
