"""Unsupported operations: the error names the negotiated protocol and an alternative."""

from __future__ import annotations

import pickle

import httpx
import pytest

import tinker_ext as tinker
from tinker_ext.testing import FakeServer, make_client


class SparseServer(FakeServer):
    """Can't list a user's checkpoints or publish them, and addresses checkpoints by name only."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.paths.append(path)
        if path.endswith("/checkpoints/first/archive"):
            return httpx.Response(302, headers={"location": "http://127.0.0.1:9/a"})
        if "/missing/" in path:
            return httpx.Response(404, json={"detail": "Checkpoint not found"})
        if path.endswith(("/api/v1/checkpoints", "/publish", "/archive")):
            return httpx.Response(404, json={"detail": "Not Found"})
        return await super().handle_async_request(request)


@pytest.fixture
def server() -> SparseServer:
    return SparseServer()


@pytest.fixture
def rest(server: SparseServer) -> tinker.RestClient:
    return make_client(server).create_rest_client()


def test_error_names_an_alternative(rest: tinker.RestClient) -> None:
    with pytest.raises(tinker.NotFoundError) as caught:
        rest.list_user_checkpoints().result(10)
    assert caught.value.unsupported
    message = str(caught.value)
    for part in (
        "list_user_checkpoints",
        "404",
        "training data as json",
        "list_checkpoints for each run",
    ):
        assert part in message
    assert str(pickle.loads(pickle.dumps(caught.value))) == message


def test_missing_checkpoint_is_not_taken_for_a_missing_operation(rest: tinker.RestClient) -> None:
    with pytest.raises(tinker.NotFoundError) as caught:
        rest.get_checkpoint_archive_url_from_tinker_path("tinker://run/weights/missing").result(10)
    assert not caught.value.unsupported
    assert caught.value.hint == ""


def test_path_without_a_kind_is_requested_without_one(
    rest: tinker.RestClient, server: SparseServer
) -> None:
    result = rest.get_checkpoint_archive_url_from_tinker_path("tinker://run/first").result(10)
    assert result.url == "http://127.0.0.1:9/a"
    assert rest.get_checkpoint_archive_url("run", "first").result(10).url == result.url
    assert server.paths[-1] == "/api/v1/training_runs/run/checkpoints/first/archive"


def test_invalid_checkpoint_id_raises_before_sending(
    rest: tinker.RestClient, server: SparseServer
) -> None:
    for wrong in ("", "weights", "a/b", "weights/a/b"):
        words = "or a NAME" if wrong else "must not be empty"
        with pytest.raises(tinker.InvalidInputError, match=words):
            rest.get_checkpoint_archive_url("run", wrong)
    assert server.paths == []
