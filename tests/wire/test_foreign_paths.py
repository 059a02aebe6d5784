"""Paths belong to the server: the client passes on every path that a server may have returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tinker_ext.testing import FakeServer, Reply, make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tinker_ext.testing import Received

PATHS = [
    "twinkle://run-2/weights/a",
    "mint://state/7f",
    "/data/checkpoints/run-2/a",
    "tinker://run-2-samp-17",
    "C:\\checkpoints\\a",
]


class ListingServer(FakeServer):
    """Lists one checkpoint in the second of two runs."""

    def __init__(self, path: str) -> None:
        super().__init__()
        runs = [{**RUN, "training_run_id": name} for name in ("run-1", "run-2")]
        cursor = {"offset": 0, "limit": 100, "total_count": 2}
        body = {"training_runs": runs, "cursor": cursor}
        self.respond_always("list_training_runs", Reply(200, body))
        self._record = {**RECORD, "tinker_path": path}
        self.respond_always("list_checkpoints", self._list)

    def _list(self, received: Received) -> Reply:
        record = [self._record] if received.path.split("/")[1] == "run-2" else []
        return Reply(200, {"checkpoints": record})


TIME = "2026-01-01T00:00:00Z"
RUN: dict[str, Any] = {
    "base_model": "fake/model",
    "model_owner": "me",
    "is_lora": True,
    "lora_rank": 8,
    "last_request_time": TIME,
}
RECORD = {"checkpoint_id": "weights/a", "checkpoint_type": "training", "time": TIME}


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(path: str) -> ListingServer:
    return ListingServer(path)


@pytest.fixture
def service(server: ListingServer) -> Iterator[tinker.ServiceClient]:
    with make_client(server) as client:
        yield client


def test_path_is_passed_on_unchanged(
    server: ListingServer, service: tinker.ServiceClient, path: str
) -> None:
    training = service.create_lora_training_client("fake/model")
    training.load_state(path).result(10)
    service.create_sampling_client(path)
    assert server.calls("load_weights")[0].body["path"] == path
    assert server.calls("create_sampling_session")[0].body["model_path"] == path


def test_resume_looks_up_the_run_of_a_path(
    server: ListingServer, service: tinker.ServiceClient, path: str
) -> None:
    service.create_training_client_from_state(path)
    assert server.calls("get_training_run")[0].path == "training_runs/run-2"
    assert server.calls("create_model")[0].body["lora_config"]["rank"] == 8
    assert server.calls("load_weights")[0].body["path"] == path


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("delete_checkpoint", lambda rest, path: rest.delete_checkpoint_from_tinker_path(path)),
        ("publish_checkpoint", lambda rest, path: rest.publish_checkpoint_from_tinker_path(path)),
        (
            "unpublish_checkpoint",
            lambda rest, path: rest.unpublish_checkpoint_from_tinker_path(path),
        ),
        (
            "set_checkpoint_ttl",
            lambda rest, path: rest.set_checkpoint_ttl_from_tinker_path(path, 60),
        ),
        (
            "get_checkpoint_archive_url",
            lambda rest, path: rest.get_checkpoint_archive_url_from_tinker_path(path),
        ),
    ],
)
def test_rest_methods_look_up_the_run_and_id_of_a_path(
    server: ListingServer,
    service: tinker.ServiceClient,
    path: str,
    operation: str,
    call: Callable[[Any, str], Any],
) -> None:
    call(service.create_rest_client(), path).result(10)
    [received] = server.calls(operation)
    assert received.path.startswith("training_runs/run-2/checkpoints/weights/a")


@pytest.mark.parametrize("saved", ["sampler_weights/20261130_123736", "weights/b"])
def test_unlisted_path_is_addressed_if_the_listed_paths_have_its_form(saved: str) -> None:
    """Twinkle lists `sampler_weights/latest`, and returns a path with the time of the save."""
    server = ListingServer("twinkle://run-2/weights/a")
    with make_client(server) as service:
        rest = service.create_rest_client()
        rest.delete_checkpoint_from_tinker_path(f"twinkle://run-2/{saved}").result(10)
        run = rest.get_training_run_by_tinker_path(f"twinkle://run-2/{saved}").result(10)
    assert run.training_run_id == "run-2"
    [deleted] = server.calls("delete_checkpoint")
    assert deleted.path == f"training_runs/run-2/checkpoints/{saved}"


@pytest.mark.parametrize(
    ("listed", "path"),
    [
        ("mint://state/7f", "mint://run-2/weights/b"),
        ("twinkle://run-2/weights/a", "mint://run-2/weights/b"),
        ("twinkle://run-2/weights/a", "twinkle://run-3/weights/b"),
        ("twinkle://run-2/weights/a", "twinkle://run-2/other/b"),
        ("twinkle://run-2/weights/a", "twinkle://run-2/weights/b/c"),
        ("twinkle://run-2/weights/a", "twinkle://run-2/weights/.."),
        ("twinkle://run-2/weights/a", "twinkle://run-2/weights"),
    ],
)
def test_unlisted_path_of_another_form_raises(listed: str, path: str) -> None:
    server = ListingServer(listed)
    with make_client(server) as service:
        rest = service.create_rest_client()
        with pytest.raises(tinker.InvalidInputError, match="the server lists no checkpoint"):
            rest.delete_checkpoint_from_tinker_path(path).result(10)
    assert server.calls("delete_checkpoint") == []


def test_run_of_a_path(server: ListingServer, service: tinker.ServiceClient, path: str) -> None:
    run = service.create_rest_client().get_training_run_by_tinker_path(path).result(10)
    assert run.training_run_id == "run-2"


def test_path_of_no_listed_checkpoint_raises(service: tinker.ServiceClient) -> None:
    rest = service.create_rest_client()
    with pytest.raises(tinker.InvalidInputError, match=r"'mint://unknown'.*training_run_id"):
        rest.delete_checkpoint_from_tinker_path("mint://unknown").result(10)


@pytest.mark.parametrize("bad", ["", " ", "Qwen/Qwen3-8B", "weights/a", "tinker://", "a\x00b", 7])
def test_value_that_is_not_a_path_raises_before_sending(
    server: ListingServer, service: tinker.ServiceClient, bad: Any
) -> None:
    with pytest.raises(tinker.InvalidInputError):
        service.create_rest_client().delete_checkpoint_from_tinker_path(bad)
    with pytest.raises(tinker.InvalidInputError):
        service.create_training_client_from_state(bad)
    with pytest.raises(tinker.InvalidInputError):
        service.create_sampling_client(bad)
    assert server.received == []
