"""All errors that this package raises.

    TinkerError
    ├── APIError                         a request to the server failed
    │   ├── APIStatusError               a response with an error status code
    │   │   ├── BadRequestError          400
    │   │   ├── AuthenticationError      401
    │   │   ├── BillingError             402
    │   │   ├── PermissionDeniedError    403
    │   │   ├── NotFoundError            404
    │   │   ├── ConflictError            409
    │   │   ├── GoneError                410
    │   │   ├── UnprocessableEntityError 422
    │   │   ├── RateLimitError           429
    │   │   └── InternalServerError      500 and above
    │   ├── APIConnectionError           no response, or an incomplete one
    │   │   ├── CircuitOpenError         not sent, because the server is down
    │   │   └── APITimeoutError          no response within the timeout
    │   │       └── DeadlineExceededError  the deadline of the call passed (also a TimeoutError)
    │   └── APIResponseValidationError   a response that cannot be parsed
    ├── RequestFailedError               the server accepted the request and failed to process it
    ├── InvalidInputError                an invalid argument; nothing was sent (also a ValueError)
    ├── ConfigurationError               an invalid setting (also a ValueError)
    ├── ClientClosedError                used after close() (also a RuntimeError)
    ├── DownloadError                    a file cannot be saved, or has the wrong contents
    └── SessionLostError                 the server has lost the session or its model

Each error has the details that a handler needs as attributes, and can be pickled and deep-copied.
``str()`` gives the operation, the failure, the server's message (shortened), the request id, the
number of attempts, and a hint. Errors never contain credentials: server text is redacted, and only
an allowlist of response headers is kept (`tinker_ext.redaction.redactor`).
Control characters, terminal escapes and bidirectional characters are shown as escapes.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Self

from tinker_ext.error_response import ErrorResponse
from tinker_ext.redaction.redactor import (
    REQUEST_ID,
    SHOWN_HEADER,
    kept_headers,
    printable,
    redact,
    redact_body,
    server_words,
    shorten,
)

# Characters of a message that quotes server text, which has a lower limit of its own.
_MAX_MESSAGE_CHARACTERS = 1_000

_CLOUDFLARE_PHRASES = {  # statuses that Cloudflare sends if it cannot reach the origin
    520: "Unknown Error from Origin",
    521: "Origin Down",
    522: "Connection to Origin Timed Out",
    523: "Origin Unreachable",
    524: "Origin Timed Out",
}


class RequestErrorCategory(StrEnum):
    """The cause of a failed request, as reported by the server."""

    UNKNOWN = "unknown"
    SERVER = "server"
    USER = "user"
    # The official SDK's spelling.
    Unknown = UNKNOWN
    Server = SERVER
    User = USER

    @classmethod
    def parse(cls, value: object) -> RequestErrorCategory:
        """Parses a category, ignoring case and an "_error" suffix; other values are unknown."""
        if not isinstance(value, str):
            return cls.UNKNOWN
        name = value.strip().lower().removesuffix("_error")
        return cls(name) if name in set(cls) else cls.UNKNOWN


class ExperimentalWarning(FutureWarning):
    """The warning that release 0.38.0 emits for methods that may change.

    It exists for programs that filter it; this package never emits it.
    """


class TinkerError(Exception):
    """The base class of all errors in this package."""

    message: str
    #: Advice for the user, of the class or of this error; may be empty.
    hint: str = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return "\n".join(printable(line) for line in self._text().split("\n"))

    def _text(self) -> str:
        """The text of `str`, before control characters are escaped."""
        return " ".join(part for part in (self.message, self.hint) if part)

    def __reduce__(self) -> tuple[Any, ...]:
        # The default calls cls(*args), which fails for classes with keyword-only arguments.
        return _rebuild, (type(self), self.args, self.__dict__)


def _request_of(response: Any) -> Any:
    """The request of a response of httpx; None if there is none."""
    try:
        return getattr(response, "request", None)
    except RuntimeError:  # A response that was created without a request.
        return None


def _quoted(message: str) -> str:
    """Redacts and shortens a message that quotes server text to one printable line."""
    return shorten(redact(message), _MAX_MESSAGE_CHARACTERS)


def _short_id(request_id: str) -> str:
    return shorten(redact(request_id), SHOWN_HEADER)


def _rebuild(cls: type[TinkerError], args: tuple[object, ...], state: dict[str, Any]) -> Any:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class APIError(TinkerError):
    """A request to the server failed.

    Attributes:
        message: the failure.
        operation: the operation's id, such as "forward_backward".
        request_id: the id that the server gave the request.
        body: the response body as far as it was read, redacted.
        request: the request, if the error was created with one, as tests do.
        attempts: the number of requests sent; set by the retry engine, like the following.
        elapsed: seconds since the first attempt.
        reason: why there was no further attempt.
        previous_response: the response to an earlier attempt, if the last attempt had none.
    """

    operation: str | None
    request_id: str | None
    body: object

    def __init__(
        self,
        message: str,
        request: Any = None,
        *,
        operation: str | None = None,
        request_id: str | None = None,
        body: object = None,
    ) -> None:
        super().__init__(_quoted(message))
        self._request = request
        self.operation = operation
        self.request_id = request_id
        self.body = redact_body(body)
        self.attempts: int | None = None
        self.elapsed: float | None = None
        self.reason: str | None = None
        self.previous_response: str | None = None

    @property
    def request(self) -> Any:
        """The request with which the error was created.

        Raises:
            AttributeError: there is none: errors of the client keep no request, because it holds
                the API key. `operation` and `request_id` identify it.
        """
        if self._request is None:
            raise AttributeError(
                "errors keep no request, because it holds the API key; see operation and request_id"
            )
        return self._request

    def gave_up(
        self, *, reason: str, attempts: int, elapsed: float, previous_response: str | None = None
    ) -> Self:
        """Records why and when the retry engine stopped, and returns this error."""
        self.reason, self.attempts, self.elapsed = reason, attempts, elapsed
        self.previous_response = previous_response
        return self

    @property
    def answered(self) -> str | None:
        """Deprecated; use `previous_response`."""
        warnings.warn(
            "APIError.answered is deprecated; use previous_response",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.previous_response

    def _text(self) -> str:
        subject = f"{self.operation}: " if self.operation else ""
        details = [f"request id {_short_id(self.request_id)}"] if self.request_id else []
        details += self._details()
        if self.attempts is not None and self.elapsed is not None:
            plural = "" if self.attempts == 1 else "s"
            details.append(f"{self.attempts} attempt{plural} in {self.elapsed:.1f} s")
        if self.previous_response:
            details.append(f"previous response: {self.previous_response}")
        if self.reason:
            outcome = "gave up" if (self.attempts or 1) > 1 else "not retried"
            details.append(f"{outcome}: {self.reason}")
        brackets = f" [{'; '.join(details)}]" if details else ""
        if not self.hint:
            return f"{subject}{self.message}{brackets}"
        end = "" if brackets or self.message.endswith((".", "!", "?")) else "."
        return f"{subject}{self.message}{brackets}{end} {self.hint}"

    def _details(self) -> list[str]:
        """Details that a subclass adds in the brackets of the message."""
        return []


class APIStatusError(APIError):
    """The response has an error status code.

    Attributes:
        headers: the allowlisted response headers, with lower-case names.
        response: the response in the form of `httpx.Response`, with these headers and the body.
        retry_after: seconds until the server accepts a retry, from the ``Retry-After`` header.
        category: the cause of the error according to the body, None if the body names none.
        unsupported: True if the server does not support the operation or these fields; `hint` then
            describes the protocol that was used and the alternatives.
    """

    status_code: int

    def __init__(
        self,
        message: str,
        response: Any = None,
        body: object = None,
        *,
        status_code: int | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        category: RequestErrorCategory | None = None,
        operation: str | None = None,
        request_id: str | None = None,
    ) -> None:
        """Programs create errors in tests: with a `response` of httpx, or with a `status_code`."""
        super().__init__(
            message, _request_of(response), operation=operation, request_id=request_id, body=body
        )
        if status_code is None and response is None:
            raise TypeError(f"{type(self).__name__} requires a response or a status_code")
        self._response = response
        self.status_code = response.status_code if status_code is None else status_code
        if headers is None and response is not None:
            headers = dict(response.headers)
        self.headers: Mapping[str, str] = kept_headers(headers or {})
        self.retry_after = retry_after
        self.category = category
        self.unsupported = False

    @property
    def response(self) -> Any:
        """The response that the error was created with, or an `ErrorResponse`."""
        if self._response is not None:
            return self._response
        return ErrorResponse(self.status_code, self.headers, self.body)

    def mark_unsupported(self, hint: str | None) -> Self:
        """Marks the operation as unsupported by the server, unless `hint` is None."""
        if hint is not None:
            self.unsupported, self.hint = True, hint
        return self

    @property
    def is_user_error(self) -> bool:
        """True if the caller must change the request; 408 and 429 are temporary."""
        if self.category in (RequestErrorCategory.USER, RequestErrorCategory.SERVER):
            return self.category is RequestErrorCategory.USER
        return 400 <= self.status_code < 500 and self.status_code not in (408, 429)

    def _details(self) -> list[str]:
        details = []
        if self.retry_after is not None:
            details.append(f"retry after {self.retry_after:g} s")
        if ray := self.headers.get("cf-ray"):
            details.append(f"cf-ray {ray}")
        return details


class BadRequestError(APIStatusError):
    """400: the request is malformed."""


class AuthenticationError(APIStatusError):
    """401: the key is missing, wrong or expired."""

    hint = "Check TINKER_API_KEY or the api_key argument, and that the key is for this base URL."


class BillingError(APIStatusError):
    """402: the account cannot pay for the request."""

    hint = "Check the account's billing; work already saved is not affected."


class PermissionDeniedError(APIStatusError):
    """403: the key is valid but lacks the permission."""

    hint = "The key lacks this permission; check who owns the run or checkpoint."


class NotFoundError(APIStatusError):
    """404: the server has no such model, run, checkpoint or operation."""


class ConflictError(APIStatusError):
    """409: the request conflicts with the server's state, such as an unexpected seq_id."""


class GoneError(APIStatusError):
    """410: the result or session has expired."""


class UnprocessableEntityError(APIStatusError):
    """422: the request is well-formed, but the server rejects its contents."""


class RateLimitError(APIStatusError):
    """429: too many requests; see `retry_after`."""

    hint = "Send fewer requests at once, or set a longer retry_window."


class InternalServerError(APIStatusError):
    """500 and above: the server or a proxy failed."""


class APIConnectionError(APIError):
    """No complete response arrived. `fault` is the kind of failure: connect, read, write, ..."""

    def __init__(
        self,
        message: str = "the connection failed",
        *,
        request: Any = None,
        fault: str | None = None,
        operation: str | None = None,
        request_id: str | None = None,
        body: object = None,
    ) -> None:
        super().__init__(message, request, operation=operation, request_id=request_id, body=body)
        self.fault = str(fault) if fault is not None else None

    def _details(self) -> list[str]:
        return [f"{self.fault} fault"] if self.fault else []


class CircuitOpenError(APIConnectionError):
    """The request was not sent, because earlier ones found the server down (`circuit_failures`).

    `retry_after` is the time in seconds until a request is sent again.
    """

    hint = "Repeat the call later, or leave out circuit_failures to have requests retried."

    def __init__(
        self,
        message: str = "not sent: the server is down",
        *,
        retry_after: float | None = None,
        operation: str | None = None,
    ) -> None:
        super().__init__(message, operation=operation)
        self.retry_after = retry_after

    def _details(self) -> list[str]:
        return [f"next attempt in {self.retry_after:.1f} s"] if self.retry_after is not None else []


class APITimeoutError(APIConnectionError):
    """An attempt received no response within its timeout."""


class DeadlineExceededError(APITimeoutError, TimeoutError):
    """The deadline of a call passed; the work may still finish on the server.

    `last_seen` is the last state the server reported ("queue state paused_capacity", "HTTP 503"),
    `deadline` the seconds that the call was allowed to take.
    """

    hint = "Pass a longer timeout, or set a longer future_timeout in the configuration."

    def __init__(
        self,
        message: str = "the deadline passed",
        *,
        last_seen: str | None = None,
        deadline: float | None = None,
        operation: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, operation=operation, request_id=request_id)
        self.last_seen = _quoted(last_seen) if last_seen is not None else None
        self.deadline = deadline

    def _details(self) -> list[str]:
        details = [f"allowed {self.deadline:g} s"] if self.deadline is not None else []
        return [*details, f"last seen: {self.last_seen or 'nothing'}"]


class APIResponseValidationError(APIError):
    """The response does not match the operation's schema; `status_code` is its status code."""

    status_code: int | None
    response: Any

    hint = (
        "The server may implement a different version of the API, "
        "or a proxy may have altered the response."
    )

    def __init__(
        self,
        message: str | None = None,
        *,
        response: Any = None,
        status_code: int | None = None,
        operation: str | None = None,
        request_id: str | None = None,
        body: object = None,
    ) -> None:
        super().__init__(
            message or "the response is invalid",
            _request_of(response),
            operation=operation,
            request_id=request_id,
            body=body,
        )
        self.response = response
        self.status_code = status_code if response is None else response.status_code

    def _details(self) -> list[str]:
        return [f"HTTP {self.status_code}"] if self.status_code is not None else []


class RequestFailedError(TinkerError):
    """The server accepted the request and failed to process it; `category` is the cause."""

    request_id: str | None
    category: RequestErrorCategory

    def __init__(
        self,
        message: str,
        request_id: str | None = None,
        category: RequestErrorCategory = RequestErrorCategory.UNKNOWN,
        *,
        operation: str | None = None,
    ) -> None:
        super().__init__(_quoted(message))
        self.request_id = request_id
        self.category = category
        self.operation = operation

    def _text(self) -> str:
        subject = f"{self.operation}: " if self.operation else ""
        request = f"request id {_short_id(self.request_id)}; " if self.request_id else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{subject}{self.message} [{request}category {self.category}]{hint}"


class InvalidInputError(TinkerError, ValueError):
    """An invalid argument, detected before anything was sent.

    `where` is the path to the value, such as ``data[3].loss_fn_inputs['weights']``.
    """

    def __init__(self, message: str, where: str | None = None) -> None:
        super().__init__(message)
        self.where = where

    def _text(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class ConfigurationError(TinkerError, ValueError):
    """An invalid setting; `setting` names the argument or environment variable."""

    def __init__(self, message: str, setting: str | None = None) -> None:
        super().__init__(redact(message))
        self.setting = setting


class ClientClosedError(TinkerError, RuntimeError):
    """The client was used after it was closed."""

    def __init__(self, message: str = "the client is closed; create a new one") -> None:
        super().__init__(message)


class DownloadError(TinkerError):
    """A download cannot be saved: disk full, file in the way, or wrong contents.

    `path` is the affected file or folder. The download is not retried, because the cause persists.
    """

    def __init__(self, message: str, *, path: str | None = None) -> None:
        super().__init__(redact(message))
        self.path = path


class SessionLostError(TinkerError):
    """The server has lost the session, or a model of it.

    Either no heartbeat of the session has reached the server for `silent_for` seconds, or a
    response reports that the model or session does not exist, as after a restart of the server;
    that error is then the `__cause__`.
    """

    hint = "Resume from the last saved state with create_training_client_from_state."

    def __init__(
        self, message: str, *, session_id: str | None = None, silent_for: float | None = None
    ) -> None:
        super().__init__(_quoted(message))
        self.session_id = session_id
        self.silent_for = silent_for


STATUS_ERRORS: Mapping[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: BillingError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def status_error(
    status_code: int,
    *,
    headers: Mapping[str, str],
    body: object,
    operation: str | None,
    request_id: str | None = None,
    retry_after: float | None = None,
    secrets: Iterable[str] = (),
) -> APIStatusError:
    """Creates the error for a response with an error status code.

    `body` is parsed JSON, text or None. `retry_after` is the delay that `rules.retry` parsed from
    the headers. `secrets` are redacted in addition to those known to the process.
    """
    secrets = tuple(secrets)
    default = InternalServerError if status_code >= 500 else APIStatusError
    text = server_words(body, secrets)
    message = f"HTTP {status_phrase(status_code)}"
    error = STATUS_ERRORS.get(status_code, default)(
        f"{message}: {text}" if text else message,
        status_code=status_code,
        retry_after=retry_after,
        category=body_category(body),
        operation=operation,
        body=redact_body(body, secrets) if secrets else body,
    )
    error.headers = kept_headers(headers, secrets)
    error.request_id = request_id or error.headers.get(REQUEST_ID)
    return error


def status_phrase(status_code: int) -> str:
    """A status code with its phrase, such as "503 Service Unavailable"."""
    try:
        phrase = HTTPStatus(status_code).phrase
    except ValueError:
        phrase = _CLOUDFLARE_PHRASES.get(status_code, "")
    return f"{status_code} {phrase}".strip()


def body_category(body: object) -> RequestErrorCategory | None:
    """The category in an error body; None if it has none."""
    if isinstance(body, dict) and body.get("category") is not None:
        return RequestErrorCategory.parse(body["category"])
    return None
