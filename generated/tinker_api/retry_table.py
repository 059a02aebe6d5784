# Do not edit. Made by `make generate` from openapi/tinker.yaml.
"""How each operation may be retried after a failure; the reasons are in the specification.

safe       a retry has the effect of one attempt (with the same X-Idempotency-Key, if it has one)
sequenced  a retry with the same sequence number is the same request
never      a failed attempt is not retried
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Retry = Literal["safe", "sequenced", "never"]

RETRY: Mapping[str, Retry] = MappingProxyType(
    {
        "asample": "sequenced",
        "cancel_future": "safe",
        "copy_weights": "safe",
        "create_auth_token": "safe",
        "create_custom_loss": "sequenced",
        "create_model": "sequenced",
        "create_sampling_session": "sequenced",
        "create_session": "safe",
        "delete_checkpoint": "safe",
        "delete_own_api_key": "safe",
        "finish_session": "safe",
        "forward": "sequenced",
        "forward_backward": "sequenced",
        "get_audit_log": "safe",
        "get_billing_usage": "safe",
        "get_checkpoint_archive_url": "safe",
        "get_checkpoint_storage_usage": "safe",
        "get_client_config": "safe",
        "get_client_dynamic_config": "safe",
        "get_external_weights_urls": "safe",
        "get_health": "safe",
        "get_info": "safe",
        "get_own_api_key": "safe",
        "get_sampler": "safe",
        "get_server_capabilities": "safe",
        "get_session": "safe",
        "get_session_trace_export": "safe",
        "get_training_run": "safe",
        "get_weights_info": "safe",
        "join_sampling_session": "safe",
        "list_checkpoints": "safe",
        "list_sessions": "safe",
        "list_training_runs": "safe",
        "list_user_checkpoints": "safe",
        "load_weights": "sequenced",
        "optim_step": "sequenced",
        "publish_checkpoint": "safe",
        "retrieve_future": "safe",
        "retrieve_futures": "safe",
        "save_weights": "sequenced",
        "save_weights_external": "sequenced",
        "save_weights_for_sampler": "sequenced",
        "search_sessions": "safe",
        "send_telemetry": "never",
        "session_heartbeat": "never",
        "set_checkpoint_ttl": "safe",
        "set_session_project": "safe",
        "unload_model": "safe",
        "unpublish_checkpoint": "safe",
    }
)
