"""One handler for each operation of the specification."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.embedded.errors import unsupported
from tinker_ext.embedded.routes import (
    checkpoints,
    futures,
    models,
    sampling,
    service,
    sessions,
    training,
    training_runs,
    weights,
)

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call, Handler

# Operations that need accounts or cloud storage, with the reason given to the client.
UNSUPPORTED = {
    "create_custom_loss": "the client computes custom losses",
    "delete_own_api_key": "it has no keys",
    "get_audit_log": "it keeps no audit log",
    "get_billing_usage": "it is free of charge",
    "get_checkpoint_storage_usage": "storage is free of charge; list the checkpoints instead",
    "get_own_api_key": "it has no keys",
    "get_session_trace_export": "it records no traces; the client does, for OpenTelemetry",
    "search_sessions": "list the sessions instead",
}


def _reject(operation: str, reason: str) -> Handler:
    async def reject(call: Call) -> Response:
        raise unsupported(f"the embedded backend does not support {operation}: {reason}")

    return reject


HANDLERS: dict[str, Handler] = {
    **{operation: _reject(operation, reason) for operation, reason in UNSUPPORTED.items()},
    "asample": sampling.asample,
    "cancel_future": sampling.cancel_future,
    "copy_weights": weights.copy_weights,
    "create_auth_token": service.create_auth_token,
    "create_model": models.create_model,
    "create_sampling_session": sampling.create_sampling_session,
    "create_session": sessions.create_session,
    "delete_checkpoint": checkpoints.delete_checkpoint,
    "finish_session": sessions.finish_session,
    "forward": training.forward,
    "forward_backward": training.forward_backward,
    "get_checkpoint_archive_url": checkpoints.get_checkpoint_archive_url,
    "get_client_config": service.get_client_config,
    "get_client_dynamic_config": service.get_client_dynamic_config,
    "get_external_weights_urls": checkpoints.get_external_weights_urls,
    "get_health": service.get_health,
    "get_info": models.get_info,
    "get_sampler": sampling.get_sampler,
    "get_server_capabilities": service.get_server_capabilities,
    "get_session": sessions.get_session,
    "get_training_run": training_runs.get_training_run,
    "get_weights_info": models.get_weights_info,
    "join_sampling_session": sampling.join_sampling_session,
    "list_checkpoints": checkpoints.list_checkpoints,
    "list_sessions": sessions.list_sessions,
    "list_training_runs": training_runs.list_training_runs,
    "list_user_checkpoints": checkpoints.list_user_checkpoints,
    "load_weights": weights.load_weights,
    "optim_step": training.optim_step,
    "publish_checkpoint": checkpoints.publish_checkpoint,
    "retrieve_future": futures.retrieve_future,
    "retrieve_futures": futures.retrieve_futures,
    "save_weights": weights.save_weights,
    "save_weights_external": weights.save_weights_external,
    "save_weights_for_sampler": weights.save_weights_for_sampler,
    "send_telemetry": service.send_telemetry,
    "session_heartbeat": sessions.session_heartbeat,
    "set_checkpoint_ttl": checkpoints.set_checkpoint_ttl,
    "set_session_project": sessions.set_session_project,
    "unload_model": models.unload_model,
    "unpublish_checkpoint": checkpoints.unpublish_checkpoint,
}
