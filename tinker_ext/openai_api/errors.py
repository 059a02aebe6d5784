"""Errors of the endpoint, with the status codes and bodies that OpenAI's clients expect."""

from __future__ import annotations

from typing import Any

from attrs import define, field

from tinker_ext import errors

#: The `type` of an error by its status code; other codes have the type of their hundred.
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_INVALID_KEY, _NO_MODEL = "invalid_api_key", "model_not_found"
#: Status and code of the client's errors, the first class that matches. Other error responses of
#: the server keep their status. A checkpoint that has expired (410) is a model that does not exist.
_STATUSES: tuple[tuple[type[Exception], int, str | None], ...] = (
    (errors.InvalidInputError, 400, None),
    (errors.AuthenticationError, 401, _INVALID_KEY),
    (errors.BillingError, 402, "insufficient_quota"),
    (errors.NotFoundError, 404, _NO_MODEL),
    (errors.GoneError, 404, _NO_MODEL),
    (errors.RateLimitError, 429, "rate_limit_exceeded"),
    (errors.APITimeoutError, 504, None),
    (errors.APIConnectionError, 502, None),
    (errors.APIResponseValidationError, 502, None),
    (errors.SessionLostError, 503, None),
    (errors.ClientClosedError, 503, None),
)


@define(eq=False)
class EndpointError(Exception):
    """Respond with this status code and an error in OpenAI's form."""

    status: int
    message: str
    param: str | None = None
    code: str | None = None
    headers: dict[str, str] = field(factory=dict)

    def body(self) -> dict[str, Any]:
        """The body of the response."""
        default = "invalid_request_error" if self.status < 500 else "server_error"
        content = {"message": self.message, "type": _TYPES.get(self.status, default)}
        return {"error": {**content, "param": self.param, "code": self.code}}


def invalid_key(message: str) -> EndpointError:
    """The error for a missing or wrong key."""
    return EndpointError(401, message, code=_INVALID_KEY)


def endpoint_error(error: Exception) -> EndpointError:
    """The response for an error of the client, with the server's ``Retry-After``."""
    if isinstance(error, EndpointError):
        return error
    if isinstance(error, errors.ConfigurationError) and error.setting == "api_key":
        return invalid_key(str(error))
    user = errors.RequestErrorCategory.USER
    status, code = getattr(error, "status_code", None) or 500, None
    if isinstance(error, errors.RequestFailedError) and error.category is user:
        status = 400
    for kind, known_status, known_code in _STATUSES:
        if isinstance(error, kind):
            status, code = known_status, known_code
            break
    param = "model" if code == _NO_MODEL else getattr(error, "where", None)
    wait = getattr(error, "retry_after", None)
    headers = {} if wait is None else {"Retry-After": f"{wait:g}"}
    return EndpointError(status, str(error), param, code, headers)
