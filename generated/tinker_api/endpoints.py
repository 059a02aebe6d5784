# Do not edit. Made by `make generate` from openapi/tinker.yaml.
"""The modules of all operations."""

from .api.admin import get_audit_log, get_billing_usage, get_checkpoint_storage_usage
from .api.auth import create_auth_token, delete_own_api_key, get_own_api_key
from .api.checkpoints import (
    delete_checkpoint,
    get_checkpoint_archive_url,
    get_external_weights_urls,
    list_checkpoints,
    list_user_checkpoints,
    publish_checkpoint,
    set_checkpoint_ttl,
    unpublish_checkpoint,
)
from .api.configuration import get_client_config, get_client_dynamic_config
from .api.futures import cancel_future, retrieve_future, retrieve_futures
from .api.models import create_model, get_info, unload_model
from .api.sampling import asample, create_sampling_session, get_sampler, join_sampling_session
from .api.service import get_health, get_server_capabilities
from .api.sessions import (
    create_session,
    finish_session,
    get_session,
    get_session_trace_export,
    list_sessions,
    search_sessions,
    session_heartbeat,
    set_session_project,
)
from .api.telemetry import send_telemetry
from .api.training import create_custom_loss, forward, forward_backward, optim_step
from .api.training_runs import get_training_run, list_training_runs
from .api.weights import (
    copy_weights,
    get_weights_info,
    load_weights,
    save_weights,
    save_weights_external,
    save_weights_for_sampler,
)

__all__ = (
    "get_audit_log",
    "get_billing_usage",
    "get_checkpoint_storage_usage",
    "create_auth_token",
    "delete_own_api_key",
    "get_own_api_key",
    "delete_checkpoint",
    "get_checkpoint_archive_url",
    "get_external_weights_urls",
    "list_checkpoints",
    "list_user_checkpoints",
    "publish_checkpoint",
    "set_checkpoint_ttl",
    "unpublish_checkpoint",
    "get_client_config",
    "get_client_dynamic_config",
    "cancel_future",
    "retrieve_future",
    "retrieve_futures",
    "create_model",
    "get_info",
    "unload_model",
    "asample",
    "create_sampling_session",
    "get_sampler",
    "join_sampling_session",
    "get_health",
    "get_server_capabilities",
    "create_session",
    "finish_session",
    "get_session",
    "get_session_trace_export",
    "list_sessions",
    "search_sessions",
    "session_heartbeat",
    "set_session_project",
    "send_telemetry",
    "create_custom_loss",
    "forward",
    "forward_backward",
    "optim_step",
    "get_training_run",
    "list_training_runs",
    "copy_weights",
    "get_weights_info",
    "load_weights",
    "save_weights",
    "save_weights_external",
    "save_weights_for_sampler",
)
