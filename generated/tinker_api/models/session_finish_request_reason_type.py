# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from typing import Literal

SessionFinishRequestReasonType = Literal["errored", "interrupted", "success"]

SESSION_FINISH_REQUEST_REASON_TYPE_VALUES: set[SessionFinishRequestReasonType] = {
    "errored",
    "interrupted",
    "success",
}


def check_session_finish_request_reason_type(value: str) -> SessionFinishRequestReasonType:
    if value in SESSION_FINISH_REQUEST_REASON_TYPE_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {SESSION_FINISH_REQUEST_REASON_TYPE_VALUES!r}"
    )
