# Do not edit. Made by `make generate` from openapi/tinker.yaml.
"""The modules of all operations, each imported on first use: most programs need a few."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

if not TYPE_CHECKING:

    class _Endpoint(ModuleType):
        """Stands for the module of its name."""

        def __getattr__(self, name: str) -> Any:
            value = getattr(import_module(self.__name__), name)
            setattr(self, name, value)
            return value

    get_audit_log = _Endpoint(f"{__package__}.api.admin.get_audit_log")
    get_billing_usage = _Endpoint(f"{__package__}.api.admin.get_billing_usage")
    get_checkpoint_storage_usage = _Endpoint(
        f"{__package__}.api.admin.get_checkpoint_storage_usage"
    )
    create_auth_token = _Endpoint(f"{__package__}.api.auth.create_auth_token")
    delete_own_api_key = _Endpoint(f"{__package__}.api.auth.delete_own_api_key")
    get_own_api_key = _Endpoint(f"{__package__}.api.auth.get_own_api_key")
    delete_checkpoint = _Endpoint(f"{__package__}.api.checkpoints.delete_checkpoint")
    get_checkpoint_archive_url = _Endpoint(
        f"{__package__}.api.checkpoints.get_checkpoint_archive_url"
    )
    get_external_weights_urls = _Endpoint(
        f"{__package__}.api.checkpoints.get_external_weights_urls"
    )
    list_checkpoints = _Endpoint(f"{__package__}.api.checkpoints.list_checkpoints")
    list_user_checkpoints = _Endpoint(f"{__package__}.api.checkpoints.list_user_checkpoints")
    publish_checkpoint = _Endpoint(f"{__package__}.api.checkpoints.publish_checkpoint")
    set_checkpoint_ttl = _Endpoint(f"{__package__}.api.checkpoints.set_checkpoint_ttl")
    unpublish_checkpoint = _Endpoint(f"{__package__}.api.checkpoints.unpublish_checkpoint")
    get_client_config = _Endpoint(f"{__package__}.api.configuration.get_client_config")
    get_client_dynamic_config = _Endpoint(
        f"{__package__}.api.configuration.get_client_dynamic_config"
    )
    cancel_future = _Endpoint(f"{__package__}.api.futures.cancel_future")
    retrieve_future = _Endpoint(f"{__package__}.api.futures.retrieve_future")
    retrieve_futures = _Endpoint(f"{__package__}.api.futures.retrieve_futures")
    create_model = _Endpoint(f"{__package__}.api.models.create_model")
    get_info = _Endpoint(f"{__package__}.api.models.get_info")
    unload_model = _Endpoint(f"{__package__}.api.models.unload_model")
    asample = _Endpoint(f"{__package__}.api.sampling.asample")
    create_sampling_session = _Endpoint(f"{__package__}.api.sampling.create_sampling_session")
    get_sampler = _Endpoint(f"{__package__}.api.sampling.get_sampler")
    join_sampling_session = _Endpoint(f"{__package__}.api.sampling.join_sampling_session")
    get_health = _Endpoint(f"{__package__}.api.service.get_health")
    get_server_capabilities = _Endpoint(f"{__package__}.api.service.get_server_capabilities")
    create_session = _Endpoint(f"{__package__}.api.sessions.create_session")
    finish_session = _Endpoint(f"{__package__}.api.sessions.finish_session")
    get_session = _Endpoint(f"{__package__}.api.sessions.get_session")
    get_session_trace_export = _Endpoint(f"{__package__}.api.sessions.get_session_trace_export")
    list_sessions = _Endpoint(f"{__package__}.api.sessions.list_sessions")
    search_sessions = _Endpoint(f"{__package__}.api.sessions.search_sessions")
    session_heartbeat = _Endpoint(f"{__package__}.api.sessions.session_heartbeat")
    set_session_project = _Endpoint(f"{__package__}.api.sessions.set_session_project")
    send_telemetry = _Endpoint(f"{__package__}.api.telemetry.send_telemetry")
    create_custom_loss = _Endpoint(f"{__package__}.api.training.create_custom_loss")
    forward = _Endpoint(f"{__package__}.api.training.forward")
    forward_backward = _Endpoint(f"{__package__}.api.training.forward_backward")
    optim_step = _Endpoint(f"{__package__}.api.training.optim_step")
    get_training_run = _Endpoint(f"{__package__}.api.training_runs.get_training_run")
    list_training_runs = _Endpoint(f"{__package__}.api.training_runs.list_training_runs")
    copy_weights = _Endpoint(f"{__package__}.api.weights.copy_weights")
    get_weights_info = _Endpoint(f"{__package__}.api.weights.get_weights_info")
    load_weights = _Endpoint(f"{__package__}.api.weights.load_weights")
    save_weights = _Endpoint(f"{__package__}.api.weights.save_weights")
    save_weights_external = _Endpoint(f"{__package__}.api.weights.save_weights_external")
    save_weights_for_sampler = _Endpoint(f"{__package__}.api.weights.save_weights_for_sampler")
