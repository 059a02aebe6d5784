"""Lists with a broken record: the others survive, and so does the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

import tinker_ext as tinker
from tinker_ext import types
from tinker_ext.testing import FakeServer, Reply, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator

TIME = "2026-01-02T03:04:05Z"
RUN = {
    "training_run_id": "run-1",
    "base_model": "fake/model",
    "model_owner": "me",
    "is_lora": True,
    "last_request_time": TIME,
}
CHECKPOINT = {
    "checkpoint_id": "weights/a",
    "checkpoint_type": "training",
    "time": TIME,
    "tinker_path": "tinker://run-1/weights/a",
}
SESSION = {
    "session_id": "session-1",
    "created_at": TIME,
    "owner": "me",
    "project_id": "project-1",
    "checkpoints_count": 1,
}
CURSOR = {"offset": 0, "limit": 20, "total_count": 2}


@pytest.fixture
def rest(server: FakeServer) -> Iterator[tinker.RestClient]:
    with make_client(server) as service:
        yield service.create_rest_client()


def reply(server: FakeServer, operation: str, body: dict[str, Any]) -> None:
    server.respond(operation, Reply(200, body))


@pytest.mark.parametrize("value", [None, 5, "yesterday"])
def test_broken_time_of_one_run_keeps_the_list(
    server: FakeServer, rest: tinker.RestClient, value: object
) -> None:
    broken = {**RUN, "training_run_id": "run-2", "last_request_time": value}
    reply(server, "list_training_runs", {"training_runs": [RUN, broken], "cursor": CURSOR})
    first, second = rest.list_training_runs().result(10).training_runs
    assert first.last_request_time is not None
    assert attrs.asdict(second)["last_request_time"] is None
    assert second.training_run_id == "run-2"


def test_broken_checkpoint_of_a_run_is_none(server: FakeServer, rest: tinker.RestClient) -> None:
    broken = {**RUN, "last_checkpoint": {**CHECKPOINT, "time": None}, "user_metadata": "none"}
    reply(server, "get_training_run", broken)
    run = rest.get_training_run("run-1").result(10)
    assert run.last_checkpoint is not None
    assert attrs.asdict(run.last_checkpoint)["time"] is None
    assert run.last_checkpoint.checkpoint_id == "weights/a"
    assert run.user_metadata is None


def test_runs_without_a_cursor_are_the_complete_list(
    server: FakeServer, rest: tinker.RestClient
) -> None:
    reply(server, "list_training_runs", {"training_runs": [RUN]})
    assert rest.list_training_runs().result(10).cursor == types.Cursor(0, 1, 1)


def call(rest: tinker.RestClient, operation: str) -> object:
    if operation == "list_checkpoints":
        return rest.list_checkpoints("run-1").result(10)
    return rest.search_sessions(types.SessionSearchRequest()).result(10)


@pytest.mark.parametrize(
    ("operation", "body", "message"),
    [
        (
            "list_checkpoints",
            {"checkpoints": [CHECKPOINT], "cursor": {**CURSOR, "total_count": "2"}},
            "Cursor.total_count: expected an integer, got a string",
        ),
        ("list_checkpoints", {"checkpoints": "none"}, "can't be parsed"),
        (
            "search_sessions",
            {"sessions": [{**SESSION, "checkpoints_count": None}]},
            "SessionSummary.checkpoints_count: expected an integer, got null or missing",
        ),
    ],
)
def test_broken_count_or_list_raises(
    server: FakeServer, rest: tinker.RestClient, operation: str, body: Any, message: str
) -> None:
    reply(server, operation, body)
    with pytest.raises(tinker.APIResponseValidationError, match=message) as caught:
        call(rest, operation)
    assert caught.value.operation == operation


def test_resuming_from_weights_without_a_base_model_names_the_argument(server: FakeServer) -> None:
    reply(server, "get_training_run", {**RUN, "base_model": None})
    with (
        make_client(server) as service,
        pytest.raises(tinker.APIResponseValidationError, match="pass base_model"),
    ):
        service.create_training_client_from_state("tinker://run-1/weights/a")
