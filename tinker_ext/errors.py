"""Every error this package raises on purpose.

    TinkerError
    ├── APIError                         something went wrong while talking to a server
    │   ├── APIStatusError               an answer with an error status
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
    │   ├── APIConnectionError           no answer, or half of one
    │   │   └── APITimeoutError          no answer in time
    │   │       └── DeadlineExceededError  the whole wait is over (a TimeoutError too)
    │   └── APIResponseValidationError   an answer that cannot be understood
    ├── RequestFailedError               the server did the work and reports its failure
    ├── InvalidInputError                a bad argument; nothing was sent (a ValueError too)
    ├── ConfigurationError               a bad setting (a ValueError too)
    ├── ClientClosedError                used after close() (a RuntimeError too)
    ├── DownloadError                    a file can't be saved, or has the wrong contents
    └── SessionLostError                 the server no longer hears this session

Each one carries what a handler needs as attributes, pickles, and deep-copies. ``str()`` says
which operation failed, how, in which words of the server (shortened), under which request id,
after how many attempts, and what would help. No key gets into any of them: server text is
redacted, and of the response headers only the harmless ones are kept
(`tinker_ext.redaction.redactor`).
Control characters, terminal escapes and bidirectional characters are shown as escapes.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from tinker_ext.redaction.printable import printable
from tinker_ext.redaction.redactor import (
    REQUEST_ID,
    SHOWN_HEADER,
    kept_headers,
    redact,
    redact_body,
    server_words,
    shorten,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Characters of a message that quotes a server, whose own words are bounded before.
_LONGEST_MESSAGE = 1_000

_CLOUDFLARE_PHRASES = {  # statuses Cloudflare answers for an origin it cannot reach
    520: "Unknown Error from Origin",
    521: "Origin Down",
    522: "Connection to Origin Timed Out",
    523: "Origin Unreachable",
    524: "Origin Timed Out",
}


class RequestErrorCategory(StrEnum):
    """Who caused a failed request, as the server sees it."""

    UNKNOWN = "unknown"
    SERVER = "server"
    USER = "user"
    # The official SDK's spelling of the same.
    Unknown = UNKNOWN
    Server = SERVER
    User = USER

    @classmethod
    def parse(cls, value: object) -> RequestErrorCategory:
        """Read a category leniently: any case, "user_error" too; anything else is unknown."""
        if not isinstance(value, str):
            return cls.UNKNOWN
        word = value.strip().lower().removesuffix("_error")
        return cls(word) if word in set(cls) else cls.UNKNOWN


class ExperimentalWarning(FutureWarning):
    """What release 0.38.0 warns with of methods that may change, for programs that filter it.

    Nothing here does.
    """


class TinkerError(Exception):
    """The base of every error here."""

    message: str
    #: What would help; empty when there is nothing to say. A class's own, or of one error alone.
    hint: str = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return "\n".join(printable(line) for line in self._text().split("\n"))

    def _text(self) -> str:
        """What `str` shows, control characters still in it."""
        return " ".join(part for part in (self.message, self.hint) if part)

    def __reduce__(self) -> tuple[Any, ...]:
        # The default calls cls(*args), which no class with keyword-only arguments survives.
        return _rebuild, (type(self), self.args, self.__dict__)


def _quoted(message: str) -> str:
    """A message with words of a server in it: one line, bounded, redacted, printable."""
    return shorten(redact(message), _LONGEST_MESSAGE)


def _short_id(request_id: str) -> str:
    return shorten(redact(request_id), SHOWN_HEADER)


def _rebuild(cls: type[TinkerError], args: tuple[object, ...], state: dict[str, Any]) -> Any:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class APIError(TinkerError):
    """Talking to the server failed.

    `message` says what happened; `operation` is the operation's id ("forward_backward");
    `request_id` the server's name for the request; `body` the answer as far as it was read,
    redacted. The retry engine adds `attempts` (requests sent), `elapsed` (seconds since the
    first), `reason` (why there was no further attempt) and `answered` (with what an attempt before
    was answered, where the last was not) with `gave_up`.
    """

    operation: str | None
    request_id: str | None
    body: object

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        request_id: str | None = None,
        body: object = None,
    ) -> None:
        super().__init__(_quoted(message))
        self.operation = operation
        self.request_id = request_id
        self.body = redact_body(body)
        self.attempts: int | None = None
        self.elapsed: float | None = None
        self.reason: str | None = None
        self.answered: str | None = None

    def gave_up(
        self, *, reason: str, attempts: int, elapsed: float, answered: str | None = None
    ) -> Self:
        """Note why and when the retry engine stopped; returns the same error."""
        self.reason, self.attempts, self.elapsed = reason, attempts, elapsed
        self.answered = answered
        return self

    def _text(self) -> str:
        subject = f"{self.operation}: " if self.operation else ""
        facts = [f"request id {_short_id(self.request_id)}"] if self.request_id else []
        facts += self._facts()
        if self.attempts is not None and self.elapsed is not None:
            plural = "" if self.attempts == 1 else "s"
            facts.append(f"{self.attempts} attempt{plural} in {self.elapsed:.1f} s")
        if self.answered:
            facts.append(f"answered before: {self.answered}")
        if self.reason:
            facts.append(f"not retried: {self.reason}")
        told = f" [{'; '.join(facts)}]" if facts else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{subject}{self.message}{told}{hint}"

    def _facts(self) -> list[str]:
        """What a subclass adds to the brackets of the message."""
        return []


class APIStatusError(APIError):
    """The server answered with an error status.

    `headers` holds the harmless response headers, names lower-cased; `retry_after` the
    seconds the server asked to wait; `category` what the body says of who caused it, None
    where it says nothing. `unsupported` says that the server can't do the operation at all, or
    not with these fields; `hint` then says in which dialect it was asked, and what would work.
    """

    status_code: int

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        category: RequestErrorCategory | None = None,
        operation: str | None = None,
        request_id: str | None = None,
        body: object = None,
    ) -> None:
        super().__init__(message, operation=operation, request_id=request_id, body=body)
        self.status_code = status_code
        self.headers: Mapping[str, str] = kept_headers(headers or {})
        self.retry_after = retry_after
        self.category = category
        self.unsupported = False

    def not_here(self, advice: str | None) -> Self:
        """Note that the server can't do this, unless there is no advice; returns the same error."""
        if advice is not None:
            self.unsupported, self.hint = True, advice
        return self

    @property
    def is_user_error(self) -> bool:
        """Whether the caller has to change something; 408 and 429 pass by themselves."""
        if self.category in (RequestErrorCategory.USER, RequestErrorCategory.SERVER):
            return self.category is RequestErrorCategory.USER
        return 400 <= self.status_code < 500 and self.status_code not in (408, 429)

    def _facts(self) -> list[str]:
        facts = []
        if self.retry_after is not None:
            facts.append(f"the server asks to wait {self.retry_after:g} s")
        if ray := self.headers.get("cf-ray"):
            facts.append(f"cf-ray {ray}")
        return facts


class BadRequestError(APIStatusError):
    """400: the server cannot make sense of the request."""


class AuthenticationError(APIStatusError):
    """401: the key is missing, wrong or expired."""

    hint = "Check the key in TINKER_API_KEY or the api_key argument, and that it fits the base URL."


class BillingError(APIStatusError):
    """402: the account cannot pay for this."""

    hint = "Check the account's billing; work already saved is not affected."


class PermissionDeniedError(APIStatusError):
    """403: the key is known and may not do this."""

    hint = "The key has no right to this; check who owns the run or checkpoint."


class NotFoundError(APIStatusError):
    """404: no such model, run, checkpoint or operation on this server."""


class ConflictError(APIStatusError):
    """409: the request contradicts the state of the server, such as a sequence out of turn."""


class GoneError(APIStatusError):
    """410: it was there once; the result or session has expired."""


class UnprocessableEntityError(APIStatusError):
    """422: well-formed, and refused for its contents."""


class RateLimitError(APIStatusError):
    """429: too much at once; see `retry_after`."""

    hint = "Send less at once, or wait; a longer retry_window would have waited for it."


class InternalServerError(APIStatusError):
    """500 and above: the server, or a proxy before it, failed."""


class APIConnectionError(APIError):
    """No complete answer came back. `fault` names the kind: connect, read, write, ..."""

    def __init__(
        self,
        message: str = "the connection failed",
        *,
        fault: str | None = None,
        operation: str | None = None,
        request_id: str | None = None,
        body: object = None,
    ) -> None:
        super().__init__(message, operation=operation, request_id=request_id, body=body)
        self.fault = str(fault) if fault is not None else None

    def _facts(self) -> list[str]:
        return [f"{self.fault} fault"] if self.fault else []


class APITimeoutError(APIConnectionError):
    """One request was not answered in its time."""


class DeadlineExceededError(APITimeoutError, TimeoutError):
    """The time for the whole wait is over; the work may still finish on the server.

    `last_seen` tells what the server said last ("queue state paused_capacity", "HTTP 503"),
    `deadline` how many seconds the wait was allowed.
    """

    hint = "A longer timeout, or future_timeout in the configuration, waits longer."

    def __init__(
        self,
        message: str = "the wait took too long",
        *,
        last_seen: str | None = None,
        deadline: float | None = None,
        operation: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, operation=operation, request_id=request_id)
        self.last_seen = _quoted(last_seen) if last_seen is not None else None
        self.deadline = deadline

    def _facts(self) -> list[str]:
        facts = [f"allowed {self.deadline:g} s"] if self.deadline is not None else []
        return [*facts, f"last seen: {self.last_seen or 'nothing'}"]


class APIResponseValidationError(APIError):
    """The answer is not what the operation promises; `status_code` is the answer's."""

    status_code: int | None

    hint = "The server speaks another dialect, or something between changed the answer."

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        operation: str | None = None,
        request_id: str | None = None,
        body: object = None,
    ) -> None:
        super().__init__(message, operation=operation, request_id=request_id, body=body)
        self.status_code = status_code

    def _facts(self) -> list[str]:
        return [f"HTTP {self.status_code}"] if self.status_code is not None else []


class RequestFailedError(TinkerError):
    """The server accepted the request, worked on it and failed; `category` tells whose fault."""

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
    """A bad argument, found before anything was sent.

    `where` is the path to it, such as ``data[3].loss_fn_inputs['weights']``.
    """

    def __init__(self, message: str, where: str | None = None) -> None:
        super().__init__(message)
        self.where = where

    def _text(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class ConfigurationError(TinkerError, ValueError):
    """A setting that cannot work; `setting` names the argument or environment variable."""

    def __init__(self, message: str, setting: str | None = None) -> None:
        super().__init__(redact(message))
        self.setting = setting


class ClientClosedError(TinkerError, RuntimeError):
    """The client was used after it was closed."""

    def __init__(self, message: str = "the client is closed; make a new one") -> None:
        super().__init__(message)


class DownloadError(TinkerError):
    """A download can't be saved: the disk is full, a file is in the way, the contents are wrong.

    `path` is the file or folder it is about. Not retried: something has to change first.
    """

    def __init__(self, message: str, *, path: str | None = None) -> None:
        super().__init__(redact(message))
        self.path = path


class SessionLostError(TinkerError):
    """No heartbeat of this session has reached the server for `silent_for` seconds."""

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
    """The error for an answer with an error status.

    `body` is parsed JSON, text or None. `retry_after` is what `rules.retry` read from the
    headers. `secrets` are redacted as well as those that the process holds.
    """
    hidden = tuple(secrets)
    default = InternalServerError if status_code >= 500 else APIStatusError
    words = server_words(body, hidden)
    said = f": {words}" if words else ""
    kept = kept_headers(headers, hidden)
    return STATUS_ERRORS.get(status_code, default)(
        f"HTTP {status_phrase(status_code)}{said}",
        status_code=status_code,
        headers=kept,
        retry_after=retry_after,
        category=body_category(body),
        operation=operation,
        request_id=request_id or kept.get(REQUEST_ID),
        body=body if not hidden else redact_body(body, hidden),
    )


def status_phrase(status_code: int) -> str:
    """A status with its name: "503 Service Unavailable", "520 Unknown Error from Origin"."""
    try:
        phrase = HTTPStatus(status_code).phrase
    except ValueError:
        phrase = _CLOUDFLARE_PHRASES.get(status_code, "")
    return f"{status_code} {phrase}".strip()


def body_category(body: object) -> RequestErrorCategory | None:
    """The category an error body names, None where it names none."""
    if isinstance(body, dict) and body.get("category") is not None:
        return RequestErrorCategory.parse(body["category"])
    return None
