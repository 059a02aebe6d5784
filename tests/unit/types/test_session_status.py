"""How sessions stand, and for which reason: known kinds by their class, others by their type."""

from __future__ import annotations

from typing import Any

import pytest
from tinker_api import models as api

from tinker_ext import types
from tinker_ext.types.responses.session_status import read_status

FAILED = {"category": "user", "message": "no", "type": "failed"}


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (
            {"type": "request", "request_id": "r", "request_type": "Sample"},
            types.SessionFailedRequestReason(request_id="r", request_type="Sample"),
        ),
        (
            {"type": "training_run", "training_run_id": "t"},
            types.SessionFailedTrainingRunReason(training_run_id="t"),
        ),
        (
            {"type": "sampling_session", "sampling_session_id": "s"},
            types.SessionFailedSamplingSessionReason(sampling_session_id="s"),
        ),
        ({"type": "flood"}, types.SessionFailedReason("flood")),
    ],
)
def test_a_failure_s_reason_is_of_its_kind(
    reason: dict[str, Any], expected: types.SessionFailedReason
) -> None:
    result = read_status(api.SessionFailed.from_dict({**FAILED, "reason": reason}))
    assert isinstance(result, types.SessionFailed)
    assert result.reason == expected
    assert (result.reason.type, result.category) == (reason["type"], "user")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("success", types.ClientSessionFinishSuccess),
        ("errored", types.ClientSessionFinishErrored),
        ("interrupted", types.ClientSessionFinishInterrupted),
        ("bored", types.ClientSessionFinishReason),
    ],
)
def test_the_way_a_client_ended_is_of_its_kind(
    kind: str, expected: type[types.ClientSessionFinishReason]
) -> None:
    told = {"type": "client_finished", "reason": {"type": kind}, "detail": "d"}
    result = read_status(api.ClientSessionFinished.from_dict(told))
    assert isinstance(result, types.ClientSessionFinished)
    assert type(result.reason) is expected
    assert (result.reason.type, result.detail) == (kind, "d")
