"""What to say where a server can't do what it was asked: what it speaks, and what would work.

===================================  ==================================================
answer                               what is said
===================================  ==================================================
404, 405 with no words or a web      the server has no such operation, and what does
framework's own, or a page; 501      instead (`INSTEAD`)
415                                  it takes the body in no form that this client has
422 that has no use for fields       which; leave them out
422 that misses fields               which; say them, or use a client as new as it
===================================  ==================================================

A missing model or checkpoint, or a bad value, has words of its own, to which nothing is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker_ext.protocol.error_shapes import (
    MISSING_STATUSES,
    missing_fields,
    no_such_operation,
    unknown_fields,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tinker_ext.protocol.server_protocol import ServerProtocol

_NO_SHARING = "nothing on this server, which does not decide who may use a checkpoint"
_ONLY_TRAINS = "sample on another server; this one only trains"
_ONLY_SAMPLES = "train on another server; this one only samples"
_USE_IT_THERE = (
    "name it by the checkpoint_id that list_checkpoints has, or use it where it is, by its path "
    "(create_sampling_client, load_state)"
)
_KEEP_PATHS = "keep the paths that save_state and save_weights_for_sampler return"
_ANOTHER = "a server, or a release of this one, that has it"
_CHECK_URL = "check that the base URL is a server's of this API, without a path behind it"

#: What works where an operation is missing.
ALTERNATIVES = {
    "asample": _ONLY_TRAINS,
    "copy_weights": "create_training_client_from_state, and save_state of what it makes",
    "create_custom_loss": "pass the function itself to forward_backward_custom, which runs it here",
    "create_model": _ONLY_SAMPLES,
    "create_sampling_session": _ONLY_TRAINS,
    "create_session": _CHECK_URL,
    "delete_checkpoint": "have the checkpoint's files deleted in the server's storage",
    "forward": "forward_backward gives the same outputs; the next optim_step applies its gradients",
    "forward_backward": _ONLY_SAMPLES,
    "get_checkpoint_archive_url": _USE_IT_THERE,
    "get_external_weights_urls": "get_checkpoint_archive_url, of weights for a sampler",
    "get_info": "get_training_run with the client's model_id",
    "get_sampler": "the model_path or base_model that the sampling client was made from",
    "get_server_capabilities": f"{_CHECK_URL}; if it is, name the base model without asking",
    "get_session": "list_training_runs",
    "get_training_run": "list_training_runs; or create_lora_training_client and load_state",
    "get_weights_info": "get_training_run, of the checkpoint's run",
    "list_checkpoints": _KEEP_PATHS,
    "list_sessions": "list_training_runs",
    "list_training_runs": "keep the model_id of each training client, which is its run's",
    "list_user_checkpoints": "list_checkpoints, for each run of list_training_runs",
    "load_weights": "train anew, or on a server that can load",
    "optim_step": _ONLY_SAMPLES,
    "publish_checkpoint": _NO_SHARING,
    "save_weights": "save_weights_for_sampler, which keeps the weights and no optimizer state",
    "save_weights_external": "save_weights_for_sampler, and get_checkpoint_archive_url",
    "save_weights_for_sampler": "save_state, which can be trained on",
    "search_sessions": "list_sessions, and look through them",
    "set_checkpoint_ttl": "delete_checkpoint, when its time has come",
    "unload_model": "close the ServiceClient, which ends its session and the session's models",
    "unpublish_checkpoint": _NO_SHARING,
}


def advice(operation: str, status: int, body: object, dialect: ServerProtocol) -> str | None:
    """What would help where the server can't do the operation at all; None where it could."""
    if status == 501 or no_such_operation(status, body) or _is_page(status, body):
        instead = ALTERNATIVES.get(operation, _ANOTHER)
        return f"This server has no such operation. {_spoken(dialect)} Instead: {instead}."
    if status == 415:
        return f"This server takes the request in no form that this client has. {_spoken(dialect)}"
    if status != 422:
        return None
    if unknown := unknown_fields(body):
        return f"This server has no use for {_names(unknown)}: leave it out. {_spoken(dialect)}"
    if missing := missing_fields(body):
        return (
            f"This server wants to be told {_names(missing)}: give it where it is an argument; "
            f"if it is none, the server is newer than this client. {_spoken(dialect)}"
        )
    return None


def _is_page(status: int, body: object) -> bool:
    """Whether a server of web pages answered, which has nothing of this API."""
    return status in MISSING_STATUSES and isinstance(body, str) and body.lstrip().startswith("<")


def _spoken(dialect: ServerProtocol) -> str:
    return f"Spoken was: {dialect}."


def _names(fields: Iterable[str]) -> str:
    return ", ".join(sorted(fields))
