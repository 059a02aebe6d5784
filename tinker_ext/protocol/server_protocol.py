"""Which requests a server accepts: read from its `client/config`, then corrected by its errors.

The format of requests differs between releases. `client/config`, which servers since 0.24.1 have,
identifies the release by its flags (`protocol.flags`). A server without it is taken for 0.4.1:

=================================  =======  ==========  ==========  ==========  ============
part of a request                  0.4.1    0.24.1      0.25.0      0.32.0      0.38.0
=================================  =======  ==========  ==========  ==========  ============
training data                      JSON     by flag     protobuf    protobuf    protobuf
forward pass                       forward  by flag     flag        flag        flag
image                              sizes    tokens      tokens      tokens      tokens
CSR matrices                       no       yes         yes         yes         yes
`optimizer` of `load_weights`      no       yes         yes         yes         yes
`allow_metadata_only` of a poll    no       yes         yes         yes         yes
`retrieved_request_ids`            no       no          no          no          yes
`process_uuid` of telemetry        no       yes         yes         yes         yes
`load_weights` creates the model   no       by flag     by flag     by flag     yes
`finish_session`                   no       no          no          yes         yes
=================================  =======  ==========  ==========  ==========  ============

"flag" is a field of `forward_backward` instead of the operation `forward`; "by flag" means that a
flag of `client/config` decides; "tokens" is the number of tokens the image is expected to take.

Error responses correct this. If the corrected protocol changes the request, the request is sent
again with the same sequence number:

=====================================  ==============================================
error response                         what the client learns
=====================================  ==============================================
415 to training data, or 400 or 422    send it in the other form (JSON or protobuf),
for an unreadable body                 unless the server rejected that form before
404, 405, 501 to `forward`, without    send a forward pass as a flag, which requires
a message or with a framework's own    protobuf
the same to another operation that     the server lacks it (`missing_operations`); it
the client can do without              is not called again
422 for a missing field that the       send the field (`required_fields`)
client knows
422 for an unknown field               omit the field (`rejected_fields`) if that
                                       loses no information
422 for the size or token fields of    describe images the other way
images
422 for the indices of CSR matrices    send matrices in dense form
422 for a missing `model_id` of a      create the model first, then load the weights
`load_weights` that creates the model
=====================================  ==============================================
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

from attrs import evolve, frozen

from tinker_ext.protocol.error_shapes import (
    is_unreadable_body,
    missing_fields,
    no_such_operation,
    unknown_fields,
)
from tinker_ext.protocol.flags import DynamicFlags, Flags, at_least, release_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tinker_ext.types.inputs.images import ImageForm

Form = Literal["json", "protobuf"]

_TRAINING = frozenset({"forward", "forward_backward"})
_SIZES = frozenset({"height", "width"})
_INDICES = frozenset({"sparse_crow_indices", "sparse_col_indices"})
# Fields of each operation that are sent on request, with the first release that requires them.
_VERSIONED_FIELDS = {
    "load_weights": {"optimizer": "0.24.1"},
    "retrieve_future": {"allow_metadata_only": "0.24.1"},
    "retrieve_futures": {"retrieved_request_ids": "0.38.0"},
    "send_telemetry": {"process_uuid": "0.24.1"},
}
_ASSUMED = DynamicFlags()
# Operations that the client can do without.
_OPTIONAL = frozenset(
    {
        "cancel_future",
        "finish_session",
        "forward",
        "get_sampler",
        "get_weights_info",
        "join_sampling_session",
        "retrieve_futures",
    }
)
_DEFAULTS: tuple[object, ...] = (None, False, 0, "", [], {})
# Fields that may be dropped regardless of value without changing what the user asked for.
_DROPPABLE = frozenset({"type", *(name for names in _VERSIONED_FIELDS.values() for name in names)})

# Deprecated attribute names.
_RENAMED = {
    "creates_by_load": "loads_into_new_model",
    "refused": "rejected_forms",
    "side_by_side": "parallel",
    "told": "required_fields",
    "untold": "rejected_fields",
    "without": "missing_operations",
}


@frozen(kw_only=True)
class ServerProtocol:
    """Which requests a server is known to accept; by default those of release 0.4.1.

    Attributes:
        release: the newest of `flags.RELEASES` whose requests the server is known to accept.
        flags: the flags of its `client/config`; None if it has none.
        dynamic: the flags of its `client/dynamic_config`, or the defaults of 0.38.0.
        training_body: the form of training data.
        forward: whether a forward pass is an operation or a flag of `forward_backward`.
        images: whether an image is described by its sizes or by its expected number of tokens.
        rejected_forms: forms of training data that the server rejected.
        required_fields: fields that the server requires and others assume, as
            "operation.field".
        rejected_fields: fields that the server rejects, as "operation.field".
        missing_operations: operations that the server lacks.
        loads_into_new_model: whether `load_weights` creates the model.
    """

    release: str = "0.4.1"
    flags: Flags | None = None
    dynamic: DynamicFlags = _ASSUMED
    training_body: Form = "json"
    forward: Literal["operation", "flag"] = "operation"
    images: ImageForm = "sizes"
    rejected_forms: frozenset[Form] = frozenset()
    required_fields: frozenset[str] = frozenset()
    rejected_fields: frozenset[str] = frozenset()
    missing_operations: frozenset[str] = frozenset()
    loads_into_new_model: bool = False

    @property
    def protobuf_results(self) -> bool:
        """Whether results may be requested as protobuf; a server that reads it also writes it."""
        return self.training_body == "protobuf"

    @property
    def compresses(self) -> bool:
        """Whether to compress training data with zstd."""
        return self.flags is not None and self.flags.proto_compress_fwdbwd

    @property
    def parallel(self) -> bool:
        """Whether the requests of one batch may be sent concurrently, the first one last."""
        return self.flags is not None and self.flags.parallel_fwdbwd_chunks

    @property
    def finishes_sessions(self) -> bool:
        """Whether to send `finish_session` when a session is closed."""
        return at_least(self.release, "0.32.0") and "finish_session" not in self.missing_operations

    @property
    def sparse(self) -> bool:
        """Whether JSON training data may contain CSR matrices; protobuf always may."""
        rejected = {name.rpartition(".")[2] for name in self.rejected_fields}
        return at_least(self.release, "0.24.1") and rejected.isdisjoint(_INDICES)

    def sends(self, operation: str, name: str) -> bool:
        """Whether to send a field of `_VERSIONED_FIELDS`."""
        return f"{operation}.{name}" in self.required_fields

    def rejected_fields_of(self, operation: str) -> frozenset[str]:
        """The fields of an operation that the server rejects."""
        if not self.rejected_fields:
            return self.rejected_fields
        prefix = f"{operation}."
        return frozenset(
            name.removeprefix(prefix) for name in self.rejected_fields if name.startswith(prefix)
        )

    def supports(self, operation: str) -> bool:
        """Whether the server may have the operation; False once it reported that it lacks it."""
        return operation not in self.missing_operations

    def same_requests_as(self, other: ServerProtocol) -> bool:
        """Whether both protocols build identical requests."""
        return evolve(self, missing_operations=other.missing_operations) == other

    if not TYPE_CHECKING:  # pragma: no branch

        def __getattr__(self, name: str) -> Any:
            """Supports the previous attribute names, which are deprecated."""
            current = _RENAMED.get(name)
            if current is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            warnings.warn(f"{name} is deprecated; use {current}", DeprecationWarning, stacklevel=2)
            return getattr(self, current)

    def __str__(self) -> str:
        source = "" if self.flags is not None else " (no client/config)"
        parts = [
            f"release {self.release}{source}",
            f"training data as {self.training_body}",
            "a forward operation" if self.forward == "operation" else "forward as a flag",
        ]
        if self.flags is not None and self.flags.pjwt_auth_enabled:
            parts.append("keys exchanged for tokens")
        if self.rejected_fields:
            parts.append(f"rejecting {', '.join(sorted(self.rejected_fields))}")
        if self.missing_operations:
            parts.append(f"without {', '.join(sorted(self.missing_operations))}")
        return ", ".join(parts)


#: The protocol assumed before negotiation: release 0.4.1.
BASELINE = ServerProtocol()


def from_client_config(
    config: Mapping[str, Any], dynamic: Mapping[str, Any] | None = None
) -> ServerProtocol:
    """Returns the protocol of a server, given the bodies of its two configuration responses.

    `dynamic` is None if the server has no `client/dynamic_config`.
    """
    release, flags = release_of(config), Flags.read(config)
    protobuf = at_least(release, "0.25.0") or flags.proto_write_fwdbwd
    by_flag = at_least(release, "0.25.0") or (protobuf and flags.fwd_via_fwdbwd)
    return ServerProtocol(
        release=release,
        flags=flags,
        dynamic=DynamicFlags.read(dynamic or {}),
        training_body="protobuf" if protobuf else "json",
        forward="flag" if by_flag else "operation",
        images="expected_tokens",
        required_fields=frozenset(
            f"{operation}.{name}"
            for operation, names in _VERSIONED_FIELDS.items()
            for name, since in names.items()
            if at_least(release, since)
        ),
        missing_operations=frozenset()
        if dynamic is not None
        else frozenset({"get_client_dynamic_config"}),
        loads_into_new_model=at_least(release, "0.38.0") or flags.create_model_via_load_weights,
    )


def drop_default_fields(body: Mapping[str, Any], rejected: Collection[str]) -> dict[str, Any]:
    """Copies a request body without the rejected fields that hold a default value.

    A rejected field with another value stays, so that the caller sees the server's error.
    """
    return {
        name: value
        for name, value in body.items()
        if not (name in rejected and _is_droppable(name, value))
    }


def _is_droppable(name: str, value: object) -> bool:
    if name == "optimizer" and value is False:
        return False  # 0.4.1 loads the optimizer state too, so weights alone need the field.
    return name in _DROPPABLE or value in _DEFAULTS


def learn_from_error(
    protocol: ServerProtocol, operation: str, status: int, body: object
) -> ServerProtocol | None:
    """Returns the protocol corrected by an error response; None if there is nothing to correct."""
    if no_such_operation(status, body):
        return _without(protocol, operation)
    if status == 422:
        corrected = _with_other_fields(protocol, operation, body)
        if corrected is not None:
            return corrected
    if operation in _TRAINING and is_unreadable_body(status, body):
        return _other_form(protocol)
    return None


def _without(protocol: ServerProtocol, operation: str) -> ServerProtocol | None:
    if operation not in _OPTIONAL or operation in protocol.missing_operations:
        return None
    reduced = evolve(protocol, missing_operations=protocol.missing_operations | {operation})
    if operation == "forward" and protocol.forward == "operation":
        return None if "protobuf" in protocol.rejected_forms else _by_flag(reduced)
    return reduced


def _by_flag(protocol: ServerProtocol) -> ServerProtocol:
    return evolve(protocol, forward="flag", training_body="protobuf")


def _with_other_fields(
    protocol: ServerProtocol, operation: str, body: object
) -> ServerProtocol | None:
    missing, unknown = missing_fields(body), unknown_fields(body)
    if operation == "load_weights" and "model_id" in missing and protocol.loads_into_new_model:
        return evolve(protocol, loads_into_new_model=False)
    if protocol.images == "expected_tokens" and (missing & _SIZES or "expected_tokens" in unknown):
        return evolve(protocol, images="sizes")
    if protocol.images == "sizes" and unknown & _SIZES:
        return evolve(protocol, images="expected_tokens")
    known = missing & _VERSIONED_FIELDS.get(operation, {}).keys()
    required = {f"{operation}.{name}" for name in known}
    # Only top-level fields can be omitted.
    omittable = unknown_fields(body, at_top=True)
    if operation in _TRAINING:
        omittable |= unknown & _INDICES  # A matrix can be sent in dense form instead.
    rejected = {f"{operation}.{name}" for name in omittable}
    corrected = evolve(
        protocol,
        required_fields=(protocol.required_fields | required) - rejected,
        rejected_fields=protocol.rejected_fields | rejected,
    )
    return None if corrected == protocol else corrected


def _other_form(protocol: ServerProtocol) -> ServerProtocol | None:
    other: Form = "json" if protocol.training_body == "protobuf" else "protobuf"
    if other in protocol.rejected_forms or (
        other == "json" and "forward" in protocol.missing_operations
    ):
        return None
    return evolve(
        protocol,
        training_body=other,
        forward=protocol.forward if other == "protobuf" else "operation",
        rejected_forms=protocol.rejected_forms | {protocol.training_body},
    )
