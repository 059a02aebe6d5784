"""Synchronous operations of releases from 0.24.1 on: endpoint, preparation, call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinker_ext import types

if TYPE_CHECKING:
    import tinker_ext as tinker
    from conformance.faultmatrix.environment import Environment

PATH = "tinker://run-1/weights/a"
EXTERNAL_PATH = "tinker://run-1/external_weights/a"
START, END = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
SEARCH = types.SessionSearchRequest()


def rest_client(env: Environment) -> tinker.RestClient:
    return env.service.create_rest_client()


def _admin_client(env: Environment) -> tinker.AdminClient:
    return env.service.create_admin_client()


CALLS: list[tuple[str, Any, Any]] = [
    ("get_session", rest_client, lambda client: client.get_session("s").result()),
    ("list_sessions", rest_client, lambda client: client.list_sessions().result()),
    ("search_sessions", rest_client, lambda client: client.search_sessions(SEARCH).result()),
    (
        "set_session_project",
        rest_client,
        lambda client: client.assign_session_project("s", "p").result(),
    ),
    (
        "get_session_trace_export",
        rest_client,
        lambda client: client.export_session_trace("s").result(),
    ),
    ("get_sampler", rest_client, lambda client: client.get_sampler("s").result()),
    (
        "set_checkpoint_ttl",
        rest_client,
        lambda client: client.set_checkpoint_ttl_from_tinker_path(PATH, 3600).result(),
    ),
    (
        "get_weights_info",
        rest_client,
        lambda client: client.get_weights_info_by_tinker_path(PATH).result(),
    ),
    (
        "get_external_weights_urls",
        rest_client,
        lambda client: client.get_external_weights_urls(EXTERNAL_PATH).result(),
    ),
    ("copy_weights", rest_client, lambda client: client.copy_weights(PATH, "p").result()),
    ("get_audit_log", _admin_client, lambda client: client.get_audit_log().result()),
    (
        "get_billing_usage",
        _admin_client,
        lambda client: client.get_billing_usage(START, END).result(),
    ),
    (
        "get_checkpoint_storage_usage",
        _admin_client,
        lambda client: client.get_current_checkpoint_storage_usage().result(),
    ),
]
