"""Errors of the endpoint, with the status codes and bodies that OpenAI's clients expect."""

from __future__ import annotations

from typing import Any

from attrs import define, field

from tinker_ext import errors
from tinker_ext.protocol.error_responses import no_such_operation, restriction

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
)

#: What to do if no tokenizer can be loaded for a model.
TOKENIZER_HINT = (
    "Start the endpoint with --tokenizer and a folder or a repository of the Hugging Face hub, or "
    "where the hub can be reached."
)
_MODELS_HINT = (
    "The operation models lists the base models of the server, and `tinker-ext checkpoint list` "
    "the paths of weights."
)
_NO_SAMPLING = "Start the endpoint with the --base-url of a server that samples."
_NO_BASE_MODEL = (
    "The server does not return the base model of these weights: start the endpoint with "
    "--tokenizer and a folder or a repository of the Hugging Face hub."
)
#: What to do if the server lacks an operation.
_MISSING_OPERATIONS = {
    "asample": _NO_SAMPLING,
    "create_sampling_session": _NO_SAMPLING,
    "create_session": "Check the --base-url of the endpoint with `tinker-ext doctor`.",
    "get_sampler": _NO_BASE_MODEL,
    "get_server_capabilities": "Send the name of a base model that the server has as the model.",
    "get_training_run": _NO_BASE_MODEL,
}
_SEND_AGAIN = "Send the request again, which opens a new session."
#: What the caller or the operator can do about an error of a class, the first that matches.
_HINTS: tuple[tuple[type[errors.TinkerError], str], ...] = (
    (
        errors.AuthenticationError,
        "The server rejected the key of the header Authorization or, if the endpoint was started "
        "with a key of its own, the configured one (TINKER_API_KEY, ...).",
    ),
    (errors.RateLimitError, "Send fewer requests at once."),
    (errors.CircuitOpenError, "Send the request again later."),
    (errors.DeadlineExceededError, "Ask for fewer tokens (max_tokens)."),
    (errors.SessionLostError, _SEND_AGAIN),
)
#: Arguments of the client that a request has in the field `model`.
_MODEL_ARGUMENTS = {"model_path", "base_model"}


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
    if param in _MODEL_ARGUMENTS:
        message = (
            "model must be the name of a base model, or the path of sampler weights such as "
            "tinker://RUN/sampler_weights/NAME."
        )
        return EndpointError(400, message, "model")
    if isinstance(error, errors.ClientClosedError):
        return EndpointError(503, f"The connection to the server was closed. {_SEND_AGAIN}")
    if isinstance(error, errors.TinkerError):
        error.hint = _hint(error) or (_MODELS_HINT if code == _NO_MODEL else "")
    wait = getattr(error, "retry_after", None)
    headers = {} if wait is None else {"Retry-After": f"{wait:g}"}
    return EndpointError(status, str(error), param, code, headers)


def _hint(error: errors.TinkerError) -> str:
    """A hint for callers of the endpoint, whereas those of the client name its methods."""
    operation = getattr(error, "operation", None) or ""
    if isinstance(error, errors.APIStatusError) and no_such_operation(
        error.status_code, error.body
    ):
        return _MISSING_OPERATIONS.get(operation, "Use another server, which has this operation.")
    if restriction(operation, getattr(error, "body", error.message)):
        return _MODELS_HINT
    return next((hint for kind, hint in _HINTS if isinstance(error, kind)), error.hint)
