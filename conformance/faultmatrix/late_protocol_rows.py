"""Synchronous operations of releases from 0.24.1 on: endpoint, preparation, call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinker_ext import types

if TYPE_CHECKING:
    from collections.abc import Callable

    import tinker_ext as tinker
    from conformance.faultmatrix.environment import Environment

PATH = "tinker://run-1/weights/a"
EXTERNAL_PATH = "tinker://run-1/external_weights/a"
START, END = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
SEARCH = types.SessionSearchRequest()


def call(method: str, *args: Any) -> Callable[[Any], Any]:
    """A function that calls the method of a client and waits for its future."""
    return lambda client: getattr(client, method)(*args).result()


def rest_client(env: Environment) -> tinker.RestClient:
    return env.service.create_rest_client()


def _admin_client(env: Environment) -> tinker.AdminClient:
    return env.service.create_admin_client()


CALLS: list[tuple[str, Any, Any]] = [
    ("get_session", rest_client, call("get_session", "s")),
    ("list_sessions", rest_client, call("list_sessions")),
    ("search_sessions", rest_client, call("search_sessions", SEARCH)),
    ("set_session_project", rest_client, call("assign_session_project", "s", "p")),
    ("get_session_trace_export", rest_client, call("export_session_trace", "s")),
    ("get_sampler", rest_client, call("get_sampler", "s")),
    (
        "set_checkpoint_ttl",
        rest_client,
        call("set_checkpoint_ttl_from_tinker_path", PATH, 3600),
    ),
    ("get_weights_info", rest_client, call("get_weights_info_by_tinker_path", PATH)),
    ("get_external_weights_urls", rest_client, call("get_external_weights_urls", EXTERNAL_PATH)),
    ("copy_weights", rest_client, call("copy_weights", PATH, "p")),
    ("get_audit_log", _admin_client, call("get_audit_log")),
    ("get_billing_usage", _admin_client, call("get_billing_usage", START, END)),
    (
        "get_checkpoint_storage_usage",
        _admin_client,
        call("get_current_checkpoint_storage_usage"),
    ),
]
