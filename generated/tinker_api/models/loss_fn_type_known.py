# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from typing import Literal

LossFnTypeKnown = Literal[
    "cispo",
    "cross_entropy",
    "custom",
    "dro",
    "gspo",
    "importance_sampling",
    "kl_divergence",
    "ppo",
    "stable_reinforce",
]

LOSS_FN_TYPE_KNOWN_VALUES: set[LossFnTypeKnown] = {
    "cispo",
    "cross_entropy",
    "custom",
    "dro",
    "gspo",
    "importance_sampling",
    "kl_divergence",
    "ppo",
    "stable_reinforce",
}


def check_loss_fn_type_known(value: str) -> LossFnTypeKnown:
    if value in LOSS_FN_TYPE_KNOWN_VALUES:
        return value
    raise TypeError(f"Unexpected value {value!r}. Expected one of {LOSS_FN_TYPE_KNOWN_VALUES!r}")
