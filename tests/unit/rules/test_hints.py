"""Hints for requests that a server does not support."""

from __future__ import annotations

from typing import Any

import pytest

from tinker_ext.protocol.error_responses import ALTERNATIVES, advice
from tinker_ext.protocol.server_protocol import BASELINE, ServerProtocol
from tinker_ext.transport import operations

NOT_FOUND = {"detail": "Not Found"}


def validation_errors(kind: str, *fields: str) -> dict[str, Any]:
    return {"detail": [{"type": kind, "loc": ["body", name], "msg": "no"} for name in fields]}


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("body", [NOT_FOUND, {"detail": "Method Not Allowed"}, "Not Found", None])
def test_missing_operation_names_alternative(status: int, body: object) -> None:
    hint = advice("list_user_checkpoints", status, body, BASELINE) or ""
    assert "no such operation" in hint
    assert str(BASELINE) in hint
    assert "list_checkpoints for each run" in hint


def test_hint_names_negotiated_protocol() -> None:
    protocol = ServerProtocol(training_body="protobuf", forward="flag")
    assert str(protocol) in (advice("publish_checkpoint", 404, NOT_FOUND, protocol) or "")


def test_missing_operation_without_alternative_suggests_other_server() -> None:
    assert "Instead: a server" in (advice("something_new", 404, NOT_FOUND, BASELINE) or "")


def test_415_reports_unsupported_encodings() -> None:
    hint = advice("forward_backward", 415, {"detail": "no"}, BASELINE) or ""
    assert "accepts none of the encodings" in hint


def test_unknown_fields_are_named() -> None:
    hint = (
        advice("asample", 422, validation_errors("extra_forbidden", "seed", "best_of"), BASELINE)
        or ""
    )
    assert "rejects best_of, seed: omit it" in hint


def test_missing_fields_are_named() -> None:
    assert "requires project" in (
        advice("create_model", 422, validation_errors("missing", "project"), BASELINE) or ""
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"detail": "Model not found"}),
        (400, NOT_FOUND),
        (422, validation_errors("int_type", "rank")),
        (500, None),
    ],
)
def test_error_that_explains_itself_gets_no_hint(status: int, body: object) -> None:
    assert advice("create_model", status, body, BASELINE) is None


def test_alternatives_exist_only_for_operations_of_the_api() -> None:
    unknown = {name for name in ALTERNATIVES if not hasattr(operations, name)}
    assert unknown == set()
