# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from typing import Literal

StopReasonKnown = Literal["eos", "length", "max_tokens", "stop", "stop_sequence"]

STOP_REASON_KNOWN_VALUES: set[StopReasonKnown] = {
    "eos",
    "length",
    "max_tokens",
    "stop",
    "stop_sequence",
}


def check_stop_reason_known(value: str) -> StopReasonKnown:
    if value in STOP_REASON_KNOWN_VALUES:
        return value
    raise TypeError(f"Unexpected value {value!r}. Expected one of {STOP_REASON_KNOWN_VALUES!r}")
