# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from typing import Literal

SessionFailedCategoryKnown = Literal["internal", "user"]

SESSION_FAILED_CATEGORY_KNOWN_VALUES: set[SessionFailedCategoryKnown] = {
    "internal",
    "user",
}


def check_session_failed_category_known(value: str) -> SessionFailedCategoryKnown:
    if value in SESSION_FAILED_CATEGORY_KNOWN_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {SESSION_FAILED_CATEGORY_KNOWN_VALUES!r}"
    )
