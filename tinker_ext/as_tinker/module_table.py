"""The modules of the official SDK 0.4.1 and 0.38.0, and what this package has in their place.

`tests/unit/as_tinker/test_module_table.py` checks that the table is complete. Modules ending in
`_test`, which are tests of the official SDK, are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping

#: The release whose version programs see: the latest one that this package is compared with.
RELEASE = "0.38.0"
DOCUMENT = "docs/from-the-official-sdk.md"

_CLIENT = "it is an internal part of the official client; tinker_ext has its own"
_HTTP = (
    "it belongs to the HTTP client of the official SDK; use the clients of tinker_ext, or its "
    "generated bindings `tinker_api`"
)
_COMMANDS = "it implements a command; `tinker-ext` and `python -m tinker.cli` have the commands"
_CREDENTIALS = "it stores or refreshes credentials; tinker_ext.auth and `tinker-ext auth` do that"
_ENCODING = "it encodes requests; tinker_ext has its own encoder"
_TENSORS = "it is a private helper of the types"
_TELEMETRY = (
    "it belongs to the telemetry of the official SDK; tinker_ext has traces and metrics instead"
)
_REQUESTS = "it is a request that no method accepts; the generated bindings `tinker_api` have it"
_RESPONSES = "it is a response that no method returns; the generated bindings `tinker_api` have it"

#: Packages of the official SDK without an `__init__.py`.
NAMESPACES = frozenset({"tinker.cli", "tinker.lib"})

# The modules of the official SDK by the module of this package whose names they have.
_EQUIVALENTS = {
    "tinker_ext": """
        tinker tinker.lib.api_future_impl tinker.lib.public_interfaces
        tinker.lib.public_interfaces.admin_client tinker.lib.public_interfaces.api_future
        tinker.lib.public_interfaces.backcompat_sampling_client_future
        tinker.lib.public_interfaces.backcompat_training_client_future
        tinker.lib.public_interfaces.custom_loss tinker.lib.public_interfaces.rest_client
        tinker.lib.public_interfaces.sampling_client tinker.lib.public_interfaces.service_client
        tinker.lib.public_interfaces.training_client
    """,
    "tinker_ext.errors": "tinker._exceptions tinker.lib.experimental",
    "tinker_ext.version": "tinker._version",
    "tinker_ext.auth": "tinker.auth",
    "tinker_ext.as_tinker.command": "tinker.cli.__main__",
    "tinker_ext.clients.client_base": "tinker.lib.client_connection_pool_type",
    "tinker_ext.clients.retry_config": "tinker.lib.retry_handler",
    "tinker_api.proto": "tinker.proto",
    "tinker_api.proto.tinker_public_pb2": "tinker.proto.tinker_public_pb2",
    "tinker_ext.types": """
        tinker.types tinker.types._pydantic_types tinker.types._pydantic_types.datum
        tinker.types._pydantic_types.get_info_response
        tinker.types._pydantic_types.get_sampler_response
        tinker.types._pydantic_types.load_weights_response tinker.types._pydantic_types.model_input
        tinker.types._pydantic_types.optim_step_response
        tinker.types._pydantic_types.sampling_params
        tinker.types._pydantic_types.save_weights_external_response
        tinker.types._pydantic_types.save_weights_for_sampler_response
        tinker.types._pydantic_types.stop_reason tinker.types._pydantic_types.tensor_data
        tinker.types.audit_log_entry tinker.types.audit_log_response
        tinker.types.billing_usage_response tinker.types.checkpoint
        tinker.types.checkpoint_archive_url_response tinker.types.checkpoints_list_response
        tinker.types.create_model_response tinker.types.current_checkpoint_storage_usage_response
        tinker.types.cursor tinker.types.custom_loss_input tinker.types.datum
        tinker.types.dmel_chunk tinker.types.encoded_text_chunk
        tinker.types.external_weights_urls_response tinker.types.forward_backward_output
        tinker.types.get_info_response tinker.types.get_sampler_response
        tinker.types.get_server_capabilities_response tinker.types.get_session_response
        tinker.types.image_asset_pointer_chunk tinker.types.image_chunk
        tinker.types.list_sessions_response tinker.types.load_weights_response
        tinker.types.lora_config tinker.types.loss_fn_inputs tinker.types.loss_fn_output
        tinker.types.loss_fn_type tinker.types.model_id tinker.types.model_input
        tinker.types.model_input_chunk tinker.types.optim_step_request
        tinker.types.optim_step_response tinker.types.optimizer tinker.types.prompt_alt_tokens
        tinker.types.provenance_spans tinker.types.request_error_category tinker.types.request_id
        tinker.types.sample_response tinker.types.sampled_sequence tinker.types.sampling_client_kind
        tinker.types.sampling_params tinker.types.save_weights_external_response
        tinker.types.save_weights_for_sampler_response tinker.types.save_weights_response
        tinker.types.search_owner tinker.types.session_search_cursor
        tinker.types.session_search_request tinker.types.session_search_response
        tinker.types.session_status tinker.types.session_status_query tinker.types.session_summary
        tinker.types.stop_reason tinker.types.tensor_data tinker.types.tensor_dtype
        tinker.types.training_run tinker.types.training_runs_response
        tinker.types.unload_model_response tinker.types.weights_info_response
        tinker.types.whoami_response
    """,
    "tinker_ext.types.tensors.received": "tinker.types.topk_logprobs",
}

# The modules of the official SDK that have no equivalent, by the reason.
_MISSING = {
    _HTTP: """
        tinker._base_client tinker._client tinker._compat tinker._constants tinker._files
        tinker._models tinker._qs tinker._resource tinker._response tinker._streaming tinker._types
        tinker._utils tinker._utils._logs tinker._utils._proxy tinker._utils._reflection
        tinker._utils._resources_proxy tinker._utils._streams tinker._utils._sync
        tinker._utils._transform tinker._utils._typing tinker._utils._utils tinker.resources
        tinker.resources.futures tinker.resources.models tinker.resources.sampling
        tinker.resources.service tinker.resources.telemetry tinker.resources.training
        tinker.resources.weights
    """,
    _COMMANDS: """
        tinker.cli.auth_api tinker.cli.client tinker.cli.commands tinker.cli.commands.auth
        tinker.cli.commands.billing tinker.cli.commands.checkpoint tinker.cli.commands.model
        tinker.cli.commands.run tinker.cli.commands.session tinker.cli.commands.version
        tinker.cli.context tinker.cli.exceptions tinker.cli.lazy_group tinker.cli.login
        tinker.cli.output
    """,
    _CREDENTIALS: "tinker.lib._auth_token_provider tinker.lib._jwt_auth tinker.lib.credentials",
    _CLIENT: """
        tinker.lib._pydantic_conv tinker.lib.async_tinker_provider
        tinker.lib.backcompat_concurrent_future tinker.lib.base_url
        tinker.lib.chunked_fwdbwd_helpers tinker.lib.console_urls tinker.lib.internal_client_holder
        tinker.lib.public_interfaces.backcompat_client_future
        tinker.lib.public_interfaces.rest_client_common tinker.lib.queue_state_logger
        tinker.lib.retryable_exception tinker.lib.session_futures_poller tinker.lib.sync_only
    """,
    _TELEMETRY: """
        tinker.lib.sdk_method tinker.lib.telemetry tinker.lib.telemetry_provider
        tinker.types.event_type tinker.types.generic_event tinker.types.session_end_event
        tinker.types.session_start_event tinker.types.severity tinker.types.telemetry_batch
        tinker.types.telemetry_event tinker.types.telemetry_response
        tinker.types.telemetry_send_request tinker.types.unhandled_exception_event
    """,
    _ENCODING: "tinker.proto.request_conv tinker.proto.response_conv",
    _TENSORS: """
        tinker.types._pydantic_types.forward_backward_input tinker.types._tensor_container
        tinker.types._torch_utils
    """,
    _RESPONSES: """
        tinker.types.auth_token_response tinker.types.client_config_response
        tinker.types.client_dynamic_config_response tinker.types.copy_weights_response
        tinker.types.create_custom_loss_response tinker.types.create_sampling_session_response
        tinker.types.create_session_response tinker.types.custom_loss_graph
        tinker.types.future_completion tinker.types.future_retrieve_response
        tinker.types.futures_retrieve_response tinker.types.health_response
        tinker.types.join_sampling_session_response tinker.types.request_failed_response
        tinker.types.session_heartbeat_response tinker.types.shared
        tinker.types.shared.untyped_api_future tinker.types.try_again_response
    """,
    _REQUESTS: """
        tinker.types.billing_usage_request tinker.types.client_config_request
        tinker.types.copy_weights_request tinker.types.create_custom_loss_request
        tinker.types.create_model_request tinker.types.create_sampling_session_request
        tinker.types.create_session_request tinker.types.current_checkpoint_storage_usage_request
        tinker.types.forward_backward_input tinker.types.forward_backward_request
        tinker.types.forward_request tinker.types.future_retrieve_request
        tinker.types.futures_retrieve_request tinker.types.get_info_request
        tinker.types.join_sampling_session_request tinker.types.load_weights_request
        tinker.types.sample_request tinker.types.save_weights_external_request
        tinker.types.save_weights_for_sampler_request tinker.types.save_weights_request
        tinker.types.session_heartbeat_request tinker.types.unload_model_request
    """,
}


def _by_module(groups: Mapping[str, str]) -> Mapping[str, str]:
    return {module: value for value, modules in groups.items() for module in modules.split()}


#: Module of the official SDK: module of this package whose names it has.
MAPPED = _by_module(_EQUIVALENTS)
#: Module of the official SDK that has no equivalent: the reason.
ABSENT = _by_module(_MISSING)
