"""Session statuses and their reasons: known types have a class, others use the base class."""

from __future__ import annotations

from typing import Any

import pytest
from tinker_api import models as api

from tinker_ext import types
from tinker_ext.types.responses.sessions import decode_status

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
        ({"type": "unknown"}, types.SessionFailedReason("unknown")),
    ],
)
def test_failure_reason_class_by_type(
    reason: dict[str, Any], expected: types.SessionFailedReason
) -> None:
    result = decode_status(api.SessionFailed.from_dict({**FAILED, "reason": reason}))
    assert isinstance(result, types.SessionFailed)
    assert result.reason == expected
    assert (result.reason.type, result.category) == (reason["type"], "user")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("success", types.ClientSessionFinishSuccess),
        ("errored", types.ClientSessionFinishErrored),
        ("interrupted", types.ClientSessionFinishInterrupted),
        ("unknown", types.ClientSessionFinishReason),
    ],
)
def test_finish_reason_class_by_type(
    kind: str, expected: type[types.ClientSessionFinishReason]
) -> None:
    body = {"type": "client_finished", "reason": {"type": kind}, "detail": "d"}
    result = decode_status(api.ClientSessionFinished.from_dict(body))
    assert isinstance(result, types.ClientSessionFinished)
    assert type(result.reason) is expected
    assert (result.reason.type, result.detail) == (kind, "d")
