"""The rows of what servers of 0.24.1 and later answer at once: endpoint, preparation, call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinker_ext import types

if TYPE_CHECKING:
    import tinker_ext as tinker
    from faultmatrix.scene import Scene

PATH = "tinker://run-1/weights/a"
OUTSIDE = "tinker://run-1/external_weights/a"
START, END = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
SEARCH = types.SessionSearchRequest()


def rest(scene: Scene) -> tinker.RestClient:
    return scene.service.create_rest_client()


def _admin(scene: Scene) -> tinker.AdminClient:
    return scene.service.create_admin_client()


CALLS: list[tuple[str, Any, Any]] = [
    ("get_session", rest, lambda it: it.get_session("s").result()),
    ("list_sessions", rest, lambda it: it.list_sessions().result()),
    ("search_sessions", rest, lambda it: it.search_sessions(SEARCH).result()),
    (
        "set_session_project",
        rest,
        lambda it: it.assign_session_project("s", "p").result(),
    ),
    (
        "get_session_trace_export",
        rest,
        lambda it: it.export_session_trace("s").result(),
    ),
    ("get_sampler", rest, lambda it: it.get_sampler("s").result()),
    (
        "set_checkpoint_ttl",
        rest,
        lambda it: it.set_checkpoint_ttl_from_tinker_path(PATH, 3600).result(),
    ),
    (
        "get_weights_info",
        rest,
        lambda it: it.get_weights_info_by_tinker_path(PATH).result(),
    ),
    (
        "get_external_weights_urls",
        rest,
        lambda it: it.get_external_weights_urls(OUTSIDE).result(),
    ),
    ("copy_weights", rest, lambda it: it.copy_weights(PATH, "p").result()),
    ("get_audit_log", _admin, lambda it: it.get_audit_log().result()),
    ("get_billing_usage", _admin, lambda it: it.get_billing_usage(START, END).result()),
    (
        "get_checkpoint_storage_usage",
        _admin,
        lambda it: it.get_current_checkpoint_storage_usage().result(),
    ),
]
