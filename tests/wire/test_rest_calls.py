"""REST operations: the requests that are sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tinker_ext import types
from tinker_ext.testing import FakeServer, Reply, make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tinker_ext.testing import Received

RUN = "run-1"
PATH = f"tinker://{RUN}/weights/a"
OUTSIDE = f"tinker://{RUN}/external_weights/a"
DAY = datetime(2026, 1, 1, tzinfo=UTC)
SEARCH = types.SessionSearchRequest(
    project_ids=["p"],
    user_metadata={"k": "v"},
    display_name="nightly",
    owner=types.UserSearchOwner(["urn:1"]),
    statuses=[
        types.ActiveSessionStatusQuery(),
        types.CancelledSessionStatusQuery(),
        types.FailedSessionStatusQuery(),
        types.ClientFinishedSessionStatusQuery(["errored"]),
    ],
    cursor=types.SessionSearchCursor(DAY, "session-9"),
)
Call = tuple[str, "Callable[[Any], Any]", dict[str, str]]

#: Operation, call, and expected query.
REST: list[Call] = [
    ("get_server_capabilities", lambda it: it.get_server_capabilities(), {}),
    ("get_training_run", lambda it: it.get_training_run(RUN), {}),
    (
        "get_training_run",
        lambda it: it.get_training_run_by_tinker_path(PATH, "accessible"),
        {"access_scope": "accessible"},
    ),
    (
        "list_training_runs",
        lambda it: it.list_training_runs(5, 10, "owned", "p"),
        {"limit": "5", "offset": "10", "access_scope": "owned", "project_id": "p"},
    ),
    ("list_training_runs", lambda it: it.list_training_runs(), {"limit": "20", "offset": "0"}),
    ("get_session", lambda it: it.get_session("s"), {}),
    ("get_session", lambda it: it.get_session("s", "owned"), {"access_scope": "owned"}),
    ("list_sessions", lambda it: it.list_sessions(), {"limit": "20", "offset": "0"}),
    (
        "list_sessions",
        lambda it: it.list_sessions(access_scope="accessible"),
        {"limit": "20", "offset": "0", "access_scope": "accessible"},
    ),
    ("search_sessions", lambda it: it.search_sessions(SEARCH), {}),
    ("search_sessions", lambda it: it.search_sessions(types.SessionSearchRequest()), {}),
    ("set_session_project", lambda it: it.assign_session_project("s", "p"), {}),
    ("get_session_trace_export", lambda it: it.export_session_trace("s"), {}),
    ("get_sampler", lambda it: it.get_sampler("s:sample:0"), {}),
    ("get_weights_info", lambda it: it.get_weights_info_by_tinker_path(PATH), {}),
    ("get_external_weights_urls", lambda it: it.get_external_weights_urls(OUTSIDE), {}),
    ("set_checkpoint_ttl", lambda it: it.set_checkpoint_ttl_from_tinker_path(PATH, 3600), {}),
    ("set_checkpoint_ttl", lambda it: it.set_checkpoint_ttl_from_tinker_path(PATH, None), {}),
    ("copy_weights", lambda it: it.copy_weights(PATH, "p", ttl_seconds=3600), {}),
    ("get_own_api_key", lambda it: it.get_own_api_key(), {}),
    ("delete_own_api_key", lambda it: it.delete_own_api_key(), {}),
]
ADMIN: list[Call] = [
    ("get_audit_log", lambda it: it.get_audit_log(), {"event_type": "all"}),
    (
        "get_audit_log",
        lambda it: it.get_audit_log("teams", date(2026, 1, 2)),
        {"event_type": "teams", "day": "2026-01-02"},
    ),
    (
        "get_billing_usage",
        lambda it: it.get_billing_usage("2026-01-01T00:00:00Z", DAY + timedelta(days=14)),
        {
            "starting_on": "2026-01-01T00:00:00+00:00",
            "ending_before": "2026-01-15T00:00:00+00:00",
        },
    ),
    (
        "get_billing_usage",
        lambda it: it.get_billing_usage(
            datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), datetime(2026, 1, 1, 1)
        ),
        {
            "starting_on": "2026-01-01T00:00:00+00:00",
            "ending_before": "2026-01-01T01:00:00+00:00",
        },
    ),
    ("get_checkpoint_storage_usage", lambda it: it.get_current_checkpoint_storage_usage(), {}),
    (
        "get_checkpoint_storage_usage",
        lambda it: it.get_current_checkpoint_storage_usage("p"),
        {"project_id": "p"},
    ),
]


@pytest.fixture
def service(server: FakeServer) -> Iterator[tinker.ServiceClient]:
    with make_client(server, project_id="of-the-configuration") as opened:
        yield opened


@pytest.fixture
def rest(service: tinker.ServiceClient) -> tinker.RestClient:
    return service.create_rest_client()


@pytest.mark.parametrize(
    ("client", "operation", "call", "query"),
    [*(("rest", *row) for row in REST), *(("admin", *row) for row in ADMIN)],
)
def test_request_matches_release_0_38_0(
    server: FakeServer,
    service: tinker.ServiceClient,
    fits: Callable[[Received, str], None],
    client: str,
    operation: str,
    call: Callable[[Any], Any],
    query: dict[str, str],
) -> None:
    call(getattr(service, f"create_{client}_client")()).result(10)
    [sent] = server.calls(operation)
    assert sent.query == query
    assert ("x-idempotency-key" in sent.headers) == (sent.method != "GET")
    fits(sent, "0.38")
    assert not server.calls("create_session")


def test_request_without_scope_matches_release_0_4_1(
    server: FakeServer, rest: tinker.RestClient, fits: Callable[[Received, str], None]
) -> None:
    rest.get_training_run(RUN).result(10)
    rest.list_training_runs().result(10)
    for sent in (*server.calls("get_training_run"), *server.calls("list_training_runs")):
        assert "access_scope" not in sent.query
        fits(sent, "0.4.1")


def test_request_bodies_contain_the_arguments(server: FakeServer, rest: tinker.RestClient) -> None:
    rest.set_checkpoint_ttl_from_tinker_path(PATH, 60).result(10)
    rest.set_checkpoint_ttl_from_tinker_path(PATH, None).result(10)
    rest.assign_session_project("s", "p").result(10)
    rest.search_sessions(SEARCH).result(10)
    expiring, forever = server.calls("set_checkpoint_ttl")
    assert (expiring.body, forever.body) == ({"ttl_seconds": 60}, {"ttl_seconds": None})
    assert expiring.path == "training_runs/run-1/checkpoints/weights/a/ttl"
    [moved] = server.calls("set_session_project")
    assert (moved.path, moved.body) == ("sessions/s/project", {"project_id": "p"})
    [search] = server.calls("search_sessions")
    assert search.body["owner"] == {"type": "user", "owner_urns": ["urn:1"]}
    assert search.body["cursor"] == {
        "last_created_at": "2026-01-01T00:00:00+00:00",
        "last_session_id": "session-9",
    }
    assert [item["type"] for item in search.body["statuses"]] == [
        "active",
        "cancelled",
        "failed",
        "client_finished",
    ]


def test_copy_weights_project_and_redacted_token(
    server: FakeServer, rest: tinker.RestClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert rest.copy_weights(PATH).result(10) == "tinker://run-2/weights/a"
    first = server.calls("copy_weights")[0]
    assert first.body == {"source_path": PATH, "destination_project_id": "of-the-configuration"}
    assert "x-tinker-weights-access-token" not in first.headers

    server.respond("copy_weights", Reply(403, {"detail": "not with weights-token-1"}))
    with pytest.raises(tinker.PermissionDeniedError) as caught:
        rest.copy_weights(PATH, "p", weights_access_token="weights-token-1").result(10)
    second = server.calls("copy_weights")[1]
    assert second.headers["x-tinker-weights-access-token"] == "weights-token-1"
    assert second.body == {"source_path": PATH, "destination_project_id": "p"}
    shown = f"{caught.value} {caught.value.body} {caplog.text}"
    assert "weights-token-1" not in shown


@pytest.mark.parametrize(
    ("where", "call"),
    [
        ("access_scope", lambda it: it.get_session("s", "mine")),
        ("access_scope", lambda it: it.list_training_runs(access_scope="")),
        ("training_run_id", lambda it: it.list_checkpoints("")),
        ("session_id", lambda it: it.get_session("")),
        ("session_id", lambda it: it.export_session_trace("")),
        ("sampler_id", lambda it: it.get_sampler("")),
        ("project_id", lambda it: it.assign_session_project("s", "")),
        ("limit", lambda it: it.list_sessions(0)),
        ("offset", lambda it: it.list_sessions(1, -1)),
        ("ttl_seconds", lambda it: it.set_checkpoint_ttl_from_tinker_path(PATH, 0)),
        ("ttl_seconds", lambda it: it.copy_weights(PATH, ttl_seconds=-1)),
        ("tinker_path", lambda it: it.get_external_weights_urls(PATH)),
        ("tinker_path", lambda it: it.set_checkpoint_ttl_from_tinker_path("run", 1)),
        ("limit", lambda _: types.SessionSearchRequest(limit=201)),
        ("display_name", lambda _: types.SessionSearchRequest(display_name="")),
        ("statuses", lambda _: types.SessionSearchRequest(statuses=[])),
        ("owner_urns", lambda _: types.UserSearchOwner([])),
    ],
)
def test_invalid_arguments_raise_and_send_nothing(
    server: FakeServer, rest: tinker.RestClient, where: str, call: Callable[[Any], Any]
) -> None:
    with pytest.raises(tinker.InvalidInputError) as caught:
        call(rest)
    assert caught.value.where == where
    assert not server.received


@pytest.mark.parametrize(
    ("where", "call"),
    [
        ("event_type", lambda it: it.get_audit_log("users")),
        ("starting_on", lambda it: it.get_billing_usage("yesterday", DAY)),
        ("starting_on", lambda it: it.get_billing_usage(DAY + timedelta(minutes=1), DAY)),
        ("ending_before", lambda it: it.get_billing_usage(DAY, DAY)),
        ("ending_before", lambda it: it.get_billing_usage(DAY, DAY + timedelta(days=15))),
    ],
)
def test_invalid_admin_arguments_raise_and_send_nothing(
    server: FakeServer, service: tinker.ServiceClient, where: str, call: Callable[[Any], Any]
) -> None:
    with pytest.raises(tinker.InvalidInputError) as caught:
        call(service.create_admin_client())
    assert caught.value.where == where
    assert not server.received
