# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from typing import Literal

CheckpointTypeKnown = Literal["external", "sampler", "training"]

CHECKPOINT_TYPE_KNOWN_VALUES: set[CheckpointTypeKnown] = {
    "external",
    "sampler",
    "training",
}


def check_checkpoint_type_known(value: str) -> CheckpointTypeKnown:
    if value in CHECKPOINT_TYPE_KNOWN_VALUES:
        return value
    raise TypeError(f"Unexpected value {value!r}. Expected one of {CHECKPOINT_TYPE_KNOWN_VALUES!r}")
