"""Deprecated names of `tinker_ext.testing`."""

from __future__ import annotations

import pytest

import tinker_ext as tinker
from tinker_ext import testing
from tinker_ext.testing import FakeServer, FaultServer, Replies, Reply, make_client


def test_answers_is_deprecated_alias_of_replies() -> None:
    with pytest.deprecated_call(match="use testing.Replies"):
        assert testing.Answers is Replies
    assert issubclass(FakeServer, Replies)
    assert issubclass(FaultServer, Replies)


def test_unknown_name_of_testing_is_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(testing, "no_such_name")  # noqa: B009  # The type checker rejects the attribute.


def test_answer_scripts_next_replies_like_respond() -> None:
    server = FakeServer()
    with pytest.deprecated_call(match=r"use respond\(\)"):
        server.answer("get_server_capabilities", Reply(400), Reply(422))
    assert statuses(server, 3) == [400, 422, 200]


def test_answer_always_scripts_every_reply_like_respond_always() -> None:
    server = FakeServer()
    with pytest.deprecated_call(match=r"use respond_always\(\)"):
        server.answer_always("get_server_capabilities", Reply(400))
    assert statuses(server, 2) == [400, 400]


def test_answer_usually_removes_scripted_replies_like_respond_by_default() -> None:
    server = FakeServer()
    server.respond("get_server_capabilities", Reply(400))
    server.respond_always("get_server_capabilities", Reply(422))
    with pytest.deprecated_call(match=r"use respond_by_default\(\)"):
        server.answer_usually()
    assert statuses(server, 2) == [200, 200]


def statuses(server: FakeServer, count: int) -> list[int | None]:
    """The status codes of `count` requests."""
    codes: list[int | None] = []
    with make_client(server) as service:
        for _ in range(count):
            try:
                service.get_server_capabilities()
                codes.append(200)
            except tinker.APIStatusError as error:
                codes.append(error.status_code)
    return codes
