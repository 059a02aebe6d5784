"""Health, capabilities, client configuration, tokens and telemetry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.embedded.flags import flags_of
from tinker_ext.embedded.protocols import ANY, specification_of
from tinker_ext.embedded.routes.call import json_response

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call


async def get_health(call: Call) -> Response:
    return json_response({"status": "ok"})


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
    supported = [call.known_fields("SupportedModel", model) for model in models]
    return json_response({"supported_models": supported})


#: Flags of release 0.24.1 for servers that accept training data as protobuf.
PROTOBUF_FLAGS = {"proto_write_fwdbwd": True, "fwd_via_fwdbwd": True}


async def get_client_config(call: Call) -> Response:
    """All flags of the protocol: those set on start, otherwise the clients' defaults.

    The protocol of all releases together accepts protobuf, and its flags say so.
    """
    preset = PROTOBUF_FLAGS if call.specification is specification_of(ANY) else {}
    flags = flags_of(call.specification, "ClientConfigResponse", {**preset, **call.backend.flags})
    if call.backend.tokens.required:
        flags |= {"pjwt_auth_enabled": True}
    return json_response(flags)


async def get_client_dynamic_config(call: Call) -> Response:
    schema = "ClientDynamicConfigResponse"
    return json_response(flags_of(call.specification, schema, call.backend.flags))


async def create_auth_token(call: Call) -> Response:
    """A token for the key: any key, unless the server was started with one."""
    key = call.request.headers.get("X-API-Key")
    return json_response({"jwt": call.backend.tokens.issue(key)})


async def send_telemetry(call: Call) -> Response:
    """Telemetry events are counted, not stored."""
    call.backend.sessions.count_telemetry(call.body["session_id"], len(call.body["events"]))
    return json_response({"status": "accepted"})
