"""What a refusal teaches of a server's dialect."""

from __future__ import annotations

import pytest

from tinker_ext.rules.dialect import FIRST, Dialect, corrected

PROTOBUF = Dialect(training_body="protobuf", refused=frozenset({"json"}))
FLAG = Dialect(training_body="protobuf", forward="flag")
BOTH_REFUSED = Dialect(training_body="json", refused=frozenset({"protobuf"}))
UNKNOWN = {"detail": "Not Found"}
EXPLICIT = Dialect(explicit=frozenset({"optimizer"}))


def missing(*fields: object) -> dict[str, object]:
    return {
        "detail": [
            {"type": "missing", "loc": ["body", field], "msg": "Field required"} for field in fields
        ]
    }


@pytest.mark.parametrize(
    ("dialect", "operation", "status", "body", "learnt"),
    [
        (FIRST, "forward_backward", 415, {"detail": "no JSON here"}, PROTOBUF),
        (FIRST, "forward", 415, None, PROTOBUF),
        (
            Dialect(training_body="protobuf"),
            "forward_backward",
            415,
            None,
            Dialect(training_body="json", refused=frozenset({"protobuf"})),
        ),
        (FIRST, "forward", 404, UNKNOWN, FLAG),
        (FIRST, "forward", 405, {"detail": "Method Not Allowed"}, FLAG),
        (FIRST, "forward", 404, None, FLAG),
        (FIRST, "forward", 404, " Not Found ", FLAG),
        (FIRST, "forward", 404, {"detail": ["a list"]}, FLAG),
        # No form is left, or the flag would need the one that was refused.
        (PROTOBUF, "forward_backward", 415, None, None),
        (BOTH_REFUSED, "forward_backward", 415, None, None),
        (BOTH_REFUSED, "forward", 404, UNKNOWN, None),
        (FLAG, "forward", 415, None, None),
        # A missing model is not a missing operation.
        (FIRST, "forward", 404, {"detail": "no model m-1"}, None),
        (FLAG, "forward", 404, UNKNOWN, None),
        (FIRST, "forward_backward", 404, UNKNOWN, None),
        (FIRST, "forward", 400, UNKNOWN, None),
        (FIRST, "optim_step", 415, None, None),
        (FIRST, "load_weights", 422, missing("optimizer"), EXPLICIT),
        (FIRST, "load_weights", 422, missing("path", "optimizer"), EXPLICIT),
        # What has been said already, what can't be said, and what is no missing field.
        (EXPLICIT, "load_weights", 422, missing("optimizer"), None),
        (FIRST, "load_weights", 422, missing("path"), None),
        (FIRST, "load_weights", 400, missing("optimizer"), None),
        (FIRST, "optim_step", 422, missing("optimizer"), None),
        (FIRST, "load_weights", 422, {"detail": "optimizer"}, None),
        (FIRST, "load_weights", 422, "optimizer", None),
        (FIRST, "load_weights", 422, {"detail": ["optimizer", {"type": "missing"}]}, None),
        (
            FIRST,
            "load_weights",
            422,
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "optimizer"]}]},
            None,
        ),
        (
            FIRST,
            "load_weights",
            422,
            {"detail": [{"type": "missing", "loc": ["query", "optimizer"]}]},
            None,
        ),
    ],
)
def test_corrected(
    dialect: Dialect, operation: str, status: int, body: object, learnt: Dialect | None
) -> None:
    assert corrected(dialect, operation, status, body) == learnt


def test_a_dialect_reads_as_a_sentence() -> None:
    assert str(FIRST) == "training data as json, a forward operation"
    assert str(FLAG) == "training data as protobuf, forward as a flag"
    assert str(EXPLICIT) == "training data as json, a forward operation, optimizer said"
    assert (FIRST.protobuf_results, FLAG.protobuf_results) == (False, True)
