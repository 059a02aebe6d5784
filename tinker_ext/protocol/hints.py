"""Hints for errors that mean that the server does not support a request.

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
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tinker_ext.protocol.error_shapes import (
    messages,
    missing_fields,
    no_such_operation,
    unknown_fields,
)
from tinker_ext.protocol.server_protocol import ServerProtocol

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


# The patterns are compiled on first use: an error is rare.
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
