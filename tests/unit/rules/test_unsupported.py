"""What is said where a server can't do what it was asked."""

from __future__ import annotations

from typing import Any

import pytest

from tinker_ext.protocol.hints import ALTERNATIVES, advice
from tinker_ext.protocol.server_protocol import BASELINE, ServerProtocol
from tinker_ext.transport.gateway import Gateway

NOT_FOUND = {"detail": "Not Found"}


def faults(kind: str, *fields: str) -> dict[str, Any]:
    return {"detail": [{"type": kind, "loc": ["body", name], "msg": "no"} for name in fields]}


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("body", [NOT_FOUND, {"detail": "Method Not Allowed"}, "Not Found", None])
def test_a_missing_operation_is_said_with_what_works_instead(status: int, body: object) -> None:
    said = advice("list_user_checkpoints", status, body, BASELINE) or ""
    assert "no such operation" in said
    assert str(BASELINE) in said
    assert "list_checkpoints, for each run" in said


def test_the_dialect_spoken_is_named() -> None:
    spoken = ServerProtocol(training_body="protobuf", forward="flag")
    assert str(spoken) in (advice("publish_checkpoint", 404, NOT_FOUND, spoken) or "")


def test_an_operation_that_is_not_tabled_has_advice_too() -> None:
    assert "Instead: a server" in (advice("something_new", 404, NOT_FOUND, BASELINE) or "")


def test_a_form_that_is_not_taken() -> None:
    assert "in no form" in (advice("forward_backward", 415, {"detail": "no"}, BASELINE) or "")


def test_fields_that_are_not_taken_are_named() -> None:
    said = advice("asample", 422, faults("extra_forbidden", "seed", "best_of"), BASELINE) or ""
    assert "no use for best_of, seed: leave it out" in said


def test_fields_that_are_missed_are_named() -> None:
    assert "told project" in (
        advice("create_model", 422, faults("missing", "project"), BASELINE) or ""
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"detail": "Model not found"}),
        (400, NOT_FOUND),
        (422, faults("int_type", "rank")),
        (500, None),
    ],
)
def test_nothing_is_added_to_what_has_words_of_its_own(status: int, body: object) -> None:
    assert advice("create_model", status, body, BASELINE) is None


def test_every_tabled_operation_is_one() -> None:
    named = {name for name in ALTERNATIVES if not hasattr(Gateway, name)}
    assert named == set()
