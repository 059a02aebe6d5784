"""What an error response means: the reason, a hint, and whether its sequence number is free.

The reason comes from the error bodies of common frameworks.
FastAPI lists validation errors: `{"detail": [{"type": "missing", "loc": ["body", "x"]}]}`. Other
frameworks write a message: pydantic ("Extra inputs are not permitted"), JSON Schema ("Additional
properties are not allowed ('x' was unexpected)", "'x' is a required property"), serde ("unknown
field `x`, expected one of ...", "missing field `x`").

A hint is given for errors that mean that the server does not support a request:

===================================  ==================================================
error response                       hint
===================================  ==================================================
405, 501; 404 without a message,     the server lacks the operation; what to use
with a framework's own, or HTML      instead (`ALTERNATIVES`)
415                                  the server accepts none of the client's encodings
422 for unknown fields               their names; omit them
422 for missing fields               their names; pass them, or upgrade the client
===================================  ==================================================

A restriction of a server is recognized by the wording of its error, whatever the status code:

===================================  ==================================================
error message                        hint
===================================  ==================================================
a load that is not the first request create_training_client_from_state, which creates
of its model                         the model that it loads into
no room for another model            unload a model that is no longer needed
a LoRA rank that is too high         pass a lower rank
an unknown base model                get_server_capabilities lists the base models
===================================  ==================================================

An error about a model or session that no longer exists, of a request that uses one, means that the
server was restarted or has ended the session (`is_lost`). An error about a missing checkpoint, or
an invalid value, explains itself and gets no hint.

A server processes a model's requests in order of `seq_id`, from 1 and without gaps. Requests are
numbered in the order they are sent, and a number identifies a single request:

======================================  ==================================================
outcome of a request                    its number
======================================  ==================================================
accepted (2xx)                          used, even if the operation fails later
rejected by the server                  reusable: the next request takes it
rejected by a proxy                     used: the proxy may have forwarded the request
no response or an incomplete one        used, for the same reason
======================================  ==================================================

All attempts to send a request carry the same number and the same idempotency key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from tinker_ext.protocol.server_protocol import ServerProtocol
from tinker_ext.rules.retry import PROXY_STATUSES

# The patterns are compiled on first use: an error is rare.

#: Status codes for an operation that the server lacks; 404 also means a missing model.
MISSING_STATUSES = frozenset({404, 405, 501})
# Messages of web frameworks for an unknown path; for a missing model, servers write others. FastAPI
# and aiohttp ("404: Not Found"), Go ("404 page not found"), Express ("Cannot POST /path"), and
# HTML pages.
_FRAMEWORK_MESSAGE = (
    r"(?is)(?:404:? )?(?:page )?not found|method not allowed|not implemented|cannot [a-z]+ /\S*|<.*"
)
# FastAPI's error types for a body that can't be parsed at all.
_UNREADABLE = frozenset({"json_invalid", "model_attributes_type", "dict_type"})
# Messages about a body as a whole: FastAPI ("There was an error parsing the body"), axum ("Failed
# to parse the request body as JSON"), Flask ("Content-Type was not 'application/json'"), Django
# REST framework ("JSON parse error"), Express ("Unexpected token"), Go ("invalid character"),
# Python's json and codecs ("'utf-8' codec can't decode byte"), protobuf ("Error parsing message").
_UNREADABLE_PATTERN = (
    r"(?i)content[- ]type|media type"
    r"|pars(?:e|ing) (?:the )?(?:request )?(?:body|json|message|protobuf)"
    r"|json (?:parse|decode) error|(?:not valid|invalid) (?:json|utf-?8|protobuf|character|wire)"
    r"|codec can't decode|unexpected token|expecting value: line|malformed (?:json|body)"
)
# Messages that only repeat the status code.
_EMPTY_MESSAGES = frozenset(
    {"bad request", "unprocessable entity", "unprocessable content", "invalid request"}
)
# The length of the location of a top-level field: "body" and the field.
_TOP_LEVEL = 2
_QUOTED = r"[`'\"]([A-Za-z_]\w*)[`'\"]"
_MISSING_PATTERNS = (
    rf"(?i)missing field {_QUOTED}",
    rf"(?i){_QUOTED} is a required property",
)
_UNKNOWN_PATTERNS = (
    rf"(?i)unknown field:? {_QUOTED}",
    r"Additional properties are not allowed \((.*?) (?:was|were) unexpected\)",
)


def missing_fields(body: object) -> frozenset[str]:
    """Returns the names of the fields that an error body reports as missing."""
    listed = {_name(error) for error in _validation_errors(body) if error.get("type") == "missing"}
    return frozenset(listed - {""}) | _named(body, _MISSING_PATTERNS)


def unknown_fields(body: object, *, at_top: bool = False) -> frozenset[str]:
    """Returns the names of the fields that an error body reports as unknown.

    With `at_top`, listed fields nested deeper in the request are left out. A message doesn't say
    where a field is, so its fields are always included.
    """
    listed = {
        _name(error)
        for error in _validation_errors(body)
        if not (at_top and len(_location(error)) > _TOP_LEVEL)
        if error.get("type") in ("extra_forbidden", "value_error.extra")
        or "extra inputs are not permitted" in str(error.get("msg", "")).lower()
    }
    return frozenset(listed - {""}) | _named(body, _UNKNOWN_PATTERNS)


def is_unreadable_body(status: int, body: object) -> bool:
    """Whether the server can't parse the request body, so that another encoding may succeed."""
    if status == 415:
        return True
    if status not in (400, 422) or missing_fields(body) or unknown_fields(body):
        return False
    validation_errors = list(_validation_errors(body))
    if validation_errors:
        return all(map(_concerns_whole_body, validation_errors))
    return any(re.search(_UNREADABLE_PATTERN, message) for message in messages(body))


def has_no_message(body: object) -> bool:
    """Whether an error body does not say what is wrong with the request."""
    if any(_validation_errors(body)):
        return False
    texts = (message.strip().rstrip(".").lower() for message in messages(body))
    return all(not text or text in _EMPTY_MESSAGES for text in texts)


def no_such_operation(status: int, body: object) -> bool:
    """Whether an error response means a missing operation rather than a missing model.

    A 405 or 501 does, a 404 if its body has no message or that of a framework.
    """
    if status != 404:
        return status in MISSING_STATUSES
    texts = (message.strip().rstrip(".") for message in messages(body))
    return all(not text or re.fullmatch(_FRAMEWORK_MESSAGE, text) for text in texts)


def _validation_errors(body: object) -> Iterator[dict[str, Any]]:
    entries = body.get("detail") if isinstance(body, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield entry


def _location(error: dict[str, Any]) -> list[Any]:
    location = error.get("loc")
    return location if isinstance(location, list) else []


def _name(error: dict[str, Any]) -> str:
    """Returns the name of the field, at any depth of the body; "" if the error is elsewhere."""
    location = _location(error)
    return str(location[-1]) if location[:1] == ["body"] and len(location) > 1 else ""


def _concerns_whole_body(error: dict[str, Any]) -> bool:
    location = _location(error)
    # The body itself, or the offset at which it stops being JSON.
    inner = location[1:] if location[:1] == ["body"] else ["elsewhere"]
    at_top = not inner or (len(inner) == 1 and isinstance(inner[0], int))
    return error.get("type") in _UNREADABLE and at_top


def _named(body: object, patterns: tuple[str, ...]) -> frozenset[str]:
    """Returns the field names that the patterns find in the messages of a body."""
    names: set[str] = set()
    for message in messages(body):
        for pattern in patterns:
            for match in re.findall(pattern, message):
                names.update(re.findall(r"[A-Za-z_]\w*", match))
    return frozenset(names)


def messages(body: object) -> Iterator[str]:
    """Yields the texts of a body that may explain the error."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, dict):
        for name in ("detail", "message", "error"):
            inner = body.get(name)
            if isinstance(inner, str | dict):
                yield from messages(inner)


_NO_SHARING = "nothing; this server does not control access to checkpoints"
_ONLY_TRAINS = "sample on another server; this one only trains"
_ONLY_SAMPLES = "train on another server; this one only samples"
_USE_ON_SERVER = (
    "pass the checkpoint_id that list_checkpoints returns, or use the checkpoint on the server by "
    "its path (create_sampling_client, load_state)"
)
_KEEP_PATHS = "keep the paths that save_state and save_weights_for_sampler return"
_OTHER_SERVER = "a server, or a release of this server, that has the operation"
_CHECK_URL = "check that the base URL is that of a server of this API, without a path"

#: What to use instead of an operation that the server lacks.
ALTERNATIVES = {
    "asample": _ONLY_TRAINS,
    "copy_weights": "create_training_client_from_state, then save_state of the new client",
    "create_custom_loss": "forward_backward_custom, which runs the function on the client",
    "create_model": _ONLY_SAMPLES,
    "create_sampling_session": _ONLY_TRAINS,
    "create_session": _CHECK_URL,
    "delete_checkpoint": "ask the operator to delete the checkpoint's files from storage",
    "forward": "forward_backward returns the same outputs; optim_step then applies its gradients",
    "forward_backward": _ONLY_SAMPLES,
    "get_checkpoint_archive_url": _USE_ON_SERVER,
    "get_external_weights_urls": "get_checkpoint_archive_url of weights saved for a sampler",
    "get_info": "get_training_run with the client's model_id",
    "get_sampler": "the model_path or base_model that the sampling client was created with",
    "get_server_capabilities": f"{_CHECK_URL}; if it is, pass the base model's name unchecked",
    "get_session": "list_training_runs",
    "get_training_run": "list_training_runs, or create_lora_training_client and load_state",
    "get_weights_info": "get_training_run of the checkpoint's run",
    "list_checkpoints": _KEEP_PATHS,
    "list_sessions": "list_training_runs",
    "list_training_runs": "keep the model_id of each training client, which is the id of its run",
    "list_user_checkpoints": "list_checkpoints for each run of list_training_runs",
    "load_weights": "train from the base model, or on a server that has load_weights",
    "optim_step": _ONLY_SAMPLES,
    "publish_checkpoint": _NO_SHARING,
    "save_weights": "save_weights_for_sampler, which saves the weights without the optimizer state",
    "save_weights_external": "save_weights_for_sampler, then get_checkpoint_archive_url",
    "save_weights_for_sampler": "save_state, from which training can resume",
    "search_sessions": "list_sessions, and filter the result",
    "set_checkpoint_ttl": "delete_checkpoint once the checkpoint is no longer needed",
    "unload_model": "close the ServiceClient, which ends the session and unloads its models",
    "unpublish_checkpoint": _NO_SHARING,
}


_ABSENT = (
    r"(?:not found|no such|unknown|there is no|not registered|not loaded|unloaded|expired"
    r"|(?:does not|doesn't|no longer) exists?|has ended)"
)
# Messages about something else that is missing. Hatchery's "Source session 'x' not found" and
# "checkpoint parent session not found: x" are about the run of a path.
_OF_ANOTHER_OBJECT = r"(?i)base[ _]model|checkpoint|weights|\bpath\b|://|loss|\b(?:source|parent) "
# Text within one clause: TuFT's "Failed to create sampling session: Unknown model: x" is not about
# the session.
_SAME_CLAUSE = r"(?:(?![:;,.]\s).)*"
_USES_MODEL = frozenset(
    {
        "forward",
        "forward_backward",
        "get_info",
        "load_weights",
        "optim_step",
        "save_weights",
        "save_weights_external",
        "save_weights_for_sampler",
    }
)
_USES_SESSION = frozenset({"asample", "create_model", "create_sampling_session"})
_LOST_MODEL = (
    rf"(?i)\b(?:model|adapter|session)\b{_SAME_CLAUSE}{_ABSENT}"
    rf"|{_ABSENT} (?:\w+ )?(?:model|adapter|session)\b"
)
_LOST_SESSION = rf"(?i)\bsession\b{_SAME_CLAUSE}{_ABSENT}|{_ABSENT} (?:\w+ )?session\b"

# Wordings of restrictions, and their hints, by operation; SkyRL's are "LoadWeights is not permitted
# with seq_id 3", like the hosted service's, and "Maximum number of LoRA adapters (4) reached".
_NEW_MODELS = frozenset({"create_model", "load_weights"})
_RESTRICTIONS = (
    (
        frozenset({"load_weights"}),
        r"(?i)not permitted with seq_id|\bfirst (?:request|operation)|only .*\bnew",
        "This server loads a checkpoint only as the first request of a model: call "
        "create_training_client_from_state or create_training_client_from_state_with_optimizer, "
        "which create the model that they load into.",
    ),
    (
        _NEW_MODELS,
        (
            r"(?i)maximum number of|too many|no (?:free|available)"
            r"|(?:adapter|model|lora)s?\b.*\b(?:limit|capacity|slots?)"
        ),
        "The server has no room for another model: call unload_model, or close the ServiceClient, "
        "of a model that is no longer needed. Models of abandoned sessions are unloaded later.",
    ),
    (
        _NEW_MODELS,
        r"(?i)\brank\b.*(?:exceed|max|must be|greater|larger|higher|between|at most)",
        "Pass a lower rank to create_lora_training_client.",
    ),
    (
        _NEW_MODELS | {"create_sampling_session", "asample"},
        (
            r"(?i)base[ _]model|\bmodel\b.*(?:not supported|unsupported|not available|not served)"
            rf"|\bmodel\b.*{_ABSENT}|{_ABSENT} model\b"
        ),
        "ServiceClient.get_server_capabilities lists the base models of this server.",
    ),
)


def is_lost(operation: str, body: object) -> bool:
    """Whether an error body means that the server no longer knows the request's model or session.

    Such a request names a model or session that the client created: the server was restarted, or
    has ended the session.
    """
    pattern = _LOST_MODEL if operation in _USES_MODEL else _LOST_SESSION
    return operation in _USES_MODEL | _USES_SESSION and any(
        re.search(pattern, message) and not re.search(_OF_ANOTHER_OBJECT, message)
        for message in messages(body)
    )


def restriction(operation: str, body: object) -> str | None:
    """Returns a hint if an error body reports a restriction of the server, else None."""
    for operations, pattern, hint in _RESTRICTIONS:
        if operation in operations and any(
            re.search(pattern, message) for message in messages(body)
        ):
            return hint
    return None


def advice(operation: str, status: int, body: object, protocol: ServerProtocol) -> str | None:
    """Returns a hint if the error means that the server does not support the request, else None."""
    if no_such_operation(status, body):
        alternative = ALTERNATIVES.get(operation, _OTHER_SERVER)
        return f"This server has no such operation. {_negotiated(protocol)} Instead: {alternative}."
    if status == 415:
        return (
            "This server accepts none of the encodings this client supports. "
            f"{_negotiated(protocol)}"
        )
    if status != 422:
        return None
    if unknown := unknown_fields(body):
        return f"This server rejects {_join(unknown)}: omit it. {_negotiated(protocol)}"
    if missing := missing_fields(body):
        return (
            f"This server requires {_join(missing)}: pass it if it is an argument; otherwise the "
            f"server is newer than this client. {_negotiated(protocol)}"
        )
    return None


def _negotiated(protocol: ServerProtocol) -> str:
    return f"Negotiated protocol: {protocol}."


def _join(fields: Iterable[str]) -> str:
    return ", ".join(sorted(fields))


# Servers of release 0.25 report a number out of sequence in this form when the result is fetched;
# the operation has not run.
_CONFLICT = re.compile(r"sequence conflict: expected (\d{1,18}), got (\d{1,18})", re.IGNORECASE)


def is_reusable(status: int | None) -> bool:
    """Whether a request's number can be reused, given its last status code (None: no response)."""
    return status is not None and status >= 300 and status not in PROXY_STATUSES


def expected_seq_id(message: str) -> int | None:
    """The number the server expects, if `message` reports that ours is ahead of it; else None.

    The server keeps reporting this once it has missed a number: because it accepted a request and
    failed before counting it, or because the request was lost in transit.
    """
    match = _CONFLICT.search(message)
    if match is None:
        return None
    expected, got = int(match[1]), int(match[2])
    return expected if 0 < expected < got else None
