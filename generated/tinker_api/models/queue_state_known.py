# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from typing import Literal

QueueStateKnown = Literal["active", "paused_capacity", "paused_rate_limit"]

QUEUE_STATE_KNOWN_VALUES: set[QueueStateKnown] = {
    "active",
    "paused_capacity",
    "paused_rate_limit",
}


def check_queue_state_known(value: str) -> QueueStateKnown:
    if value in QUEUE_STATE_KNOWN_VALUES:
        return value
    raise TypeError(f"Unexpected value {value!r}. Expected one of {QUEUE_STATE_KNOWN_VALUES!r}")
