# Do not edit. Made by `make generate` from openapi/tinker.yaml.
from typing import Literal

RequestErrorCategoryKnown = Literal["server", "unknown", "user"]

REQUEST_ERROR_CATEGORY_KNOWN_VALUES: set[RequestErrorCategoryKnown] = {
    "server",
    "unknown",
    "user",
}


def check_request_error_category_known(value: str) -> RequestErrorCategoryKnown:
    if value in REQUEST_ERROR_CATEGORY_KNOWN_VALUES:
        return value
    raise TypeError(
        f"Unexpected value {value!r}. Expected one of {REQUEST_ERROR_CATEGORY_KNOWN_VALUES!r}"
    )
