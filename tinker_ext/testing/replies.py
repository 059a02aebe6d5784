"""What a server of a test answers: what it was told to, then what is usual."""

from __future__ import annotations

import itertools
import json
import threading
import warnings
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, TypeAlias

from tinker_ext.testing.completed import CompletedRequests
from tinker_ext.testing.messages import Received, Reply
from tinker_ext.testing.results import example_result, plain_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinker_ext.testing.faults import Fault

    Answer: TypeAlias = Reply | Exception | Fault | Callable[[Received], Reply]

# Which field of a body numbers the requests of which other field's owner.
_NUMBERED = {
    "create_model": ("session_id", "model_seq_id"),
    "create_sampling_session": ("session_id", "sampling_session_seq_id"),
    "asample": ("sampling_session_id", "seq_id"),
}
_TRAINING = ("model_id", "seq_id")


class Replies:
    """The part that knows the API, shared by the server in memory and that on a socket.

    Attributes:
        received: every request, in the order they came.
        results: what retrieve_future answers, by request id.
        counted: the bodies of the numbered requests that were taken in, by owner and number.
        conflicts: what it was sent under a number that it had counted for something else.
        model_data: what get_info says of every model; a `tokenizer_id`, say.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.results: dict[str, Any] = {}
        self.counted: dict[tuple[str, ...], Any] = {}
        self.conflicts: list[str] = []
        self.model_data: dict[str, Any] = {"model_name": "fake/model"}
        self._scripted: dict[str, deque[Any]] = defaultdict(deque)
        self._always: dict[str, Any] = {}
        self._request_ids: dict[tuple[str, ...], Reply] = {}
        self._ids = itertools.count(1)
        self._ended = CompletedRequests()
        self._lock = threading.RLock()

    def respond(self, operation: str, *answers: Answer) -> None:
        """Give these answers to the next requests of an operation, named by its id.

        A `Reply`, a function from `Received` to a `Reply`, an exception (an `httpx.ConnectError`,
        say), which a server in memory raises in place of an answer, or a `Fault`, which a server
        on a socket commits.
        """
        self._scripted[operation].extend(answers)

    def answer(self, operation: str, *replies: Answer) -> None:
        """Deprecated name of `respond`."""
        warnings.warn("use respond()", DeprecationWarning, stacklevel=2)
        self.respond(operation, *replies)

    def answer_always(self, operation: str, reply: Answer) -> None:
        """Deprecated name of `respond_always`."""
        warnings.warn("use respond_always()", DeprecationWarning, stacklevel=2)
        self.respond_always(operation, reply)

    def respond_always(self, operation: str, answer: Answer) -> None:
        """Give this answer to every request of an operation that no `answer` is left for."""
        self._always[operation] = answer

    def respond_by_default(self) -> None:
        """Forget all that was scripted."""
        self._scripted.clear()
        self._always.clear()

    def calls(self, operation: str) -> list[Received]:
        """The requests of an operation, in the order they came."""
        return [one for one in self.received if one.operation == operation]

    def submitted(self, result: Any) -> Reply:
        """The answer of a submission whose future has `result` as its result."""
        request_id = f"request-{next(self._ids)}"
        self.results[request_id] = result
        return Reply(200, {"request_id": request_id})

    def decide(self, received: Received) -> Any:
        """Note a request; the answer scripted for it, None where it is the usual one."""
        with self._lock:
            self.received.append(received)
            scripted = self._scripted[received.operation]
            return scripted.popleft() if scripted else self._always.get(received.operation)

    def default_reply(self, received: Received) -> Reply:
        """Do the work and answer; once per number, however often it is sent."""
        with self._lock:
            number = _number(received)
            if number is None:
                return self._work(received)
            if number in self.counted:
                if self.counted[number] != received.body:
                    self.conflicts.append(f"{received.operation} {number}")
                return self._request_ids[number]
            self.counted[number] = received.body
            reply = self._request_ids[number] = self._work(received)
            return reply

    def _work(self, received: Received) -> Reply:
        if isinstance(received.body, bytes):
            return Reply(415, {"detail": "this server speaks JSON"})
        body = received.body or {}
        if received.operation == "retrieve_future":
            return self._retrieve(str(body.get("request_id")))
        if received.operation == "create_sampling_session":
            return Reply(200, {"sampling_session_id": f"sampling-{next(self._ids)}"})
        if received.operation == "get_info":
            return Reply(200, {"model_id": body.get("model_id"), "model_data": self.model_data})
        if received.operation == "retrieve_futures":
            return Reply(200, self._ended.since(body))
        if received.operation == "join_sampling_session":
            return Reply(200, {"client_counter": self._ended.joined(body)})
        plain = plain_reply(received.operation, received.path)
        if plain is None:
            reply = self.submitted(example_result(received.operation, body))
            if received.operation == "asample":
                self._ended.note(body, reply.body["request_id"])
            return reply
        status, answer, headers = plain
        return Reply(status, answer, headers)

    def _retrieve(self, request_id: str) -> Reply:
        if request_id not in self.results:
            return Reply(404, {"detail": f"no such request: {request_id}"})
        return Reply(200, self.results[request_id])


def decoded(content: bytes) -> Any:
    """A request's body as JSON; as it came where it is none; None where there is none."""
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content


def _number(received: Received) -> tuple[str, ...] | None:
    """Whose request it is and which; None for one without a number."""
    body = received.body if isinstance(received.body, dict) else {}
    owner, number = _NUMBERED.get(received.operation, _TRAINING)
    if body.get(number) is None:
        return None
    return owner, str(body.get(owner)), number, str(body[number])
