"""Which requests a server accepts: read from its `client/config`, then learned from its responses.

The format of requests differs between releases. `client/config`, which servers since 0.24.1 have,
identifies the release by its flags (`Flags`). A server without it is taken for 0.4.1:

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

Responses correct this, as `protocol.adaptation` describes.

Flags have the names of the wire; the defaults are what release 0.38.0 assumes if a server omits a
flag. A flag of an unexpected type counts as omitted, and an unknown flag is ignored. Each release
added some, so they also identify the release. This is a lower bound: a server may send fewer flags
than its release defines.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs
from attrs import evolve, frozen

from tinker_ext.types.inputs.model_input import ImageForm

Form = Literal["json", "protobuf"]

#: The releases whose requests differ, oldest first: those kept in `openapi/releases`.
RELEASES = ("0.4.1", "0.24.1", "0.25.0", "0.32.0", "0.38.0")

# Flags that each release added to `client/config`, newest first
# (types/client_config_response.py of the releases kept).
_ADDED_FLAGS = (
    ("0.38.0", frozenset({"custom_loss_server_side"})),
    ("0.32.0", frozenset({"sample_use_retrieve_futures", "sample_join_sampling_session"})),
    (
        "0.25.0",
        frozenset(
            {
                "fwdbwd_max_chunk_len",
                "fwdbwd_max_chunk_bytes_count",
                "fwdbwd_dispatch_bytes_semaphore_size",
            }
        ),
    ),
)
#: The operations that carry training data, which has two forms.
TRAINING = frozenset({"forward", "forward_backward"})
#: The fields of the indices of CSR matrices.
CSR_INDICES = frozenset({"sparse_crow_indices", "sparse_col_indices"})
#: Fields of each operation that are sent on request, with the first release that requires them.
VERSIONED_FIELDS = {
    "load_weights": {"optimizer": "0.24.1"},
    "retrieve_future": {"allow_metadata_only": "0.24.1"},
    "retrieve_futures": {"retrieved_request_ids": "0.38.0"},
    "send_telemetry": {"process_uuid": "0.24.1"},
}
_DEFAULTS: tuple[object, ...] = (None, False, 0, "", [], {})
# Fields that may be dropped regardless of value without changing what the user asked for.
_DROPPABLE = frozenset({"type", *(name for names in VERSIONED_FIELDS.values() for name in names)})

# Deprecated attribute names.
_RENAMED = {
    "creates_by_load": "loads_into_new_model",
    "side_by_side": "parallel",
    "told": "required_fields",
    "untold": "rejected_fields",
    "without": "missing_operations",
}


class _FlagSet:
    """Flags that can be read from a response body."""

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Returns the flags of a response body; missing and invalid flags have their defaults."""
        fields = attrs.fields_dict(cls)  # type: ignore[arg-type]  # the subclasses are attrs classes
        flags = {
            name: value
            for name, value in body.items()
            if name in fields and _is_valid(fields[name], value)
        }
        return cls(**flags)


def _is_valid(field: attrs.Attribute[Any], value: object) -> bool:
    default = field.default
    return type(value) is type(default) and not (isinstance(value, int) and value < 0)


@frozen(kw_only=True)
class Flags(_FlagSet):
    """The flags of `client/config`. Sizes in bytes, durations in seconds."""

    pjwt_auth_enabled: bool = False
    credential_default_source: str = "api_key"

    parallel_fwdbwd_chunks: bool = True
    proto_compress_fwdbwd: bool = False
    fwdbwd_max_chunk_len: int = 1024
    fwdbwd_max_chunk_bytes_count: int = 5_000_000
    fwdbwd_dispatch_bytes_semaphore_size: int = 50_000_000
    #: Sent by releases that accept both JSON and protobuf (0.24.1).
    proto_write_fwdbwd: bool = False
    fwd_via_fwdbwd: bool = False
    #: Sent by releases in which `load_weights` may create the model (0.24.1 to 0.32.0).
    create_model_via_load_weights: bool = False

    sample_dispatch_bytes_semaphore_size: int = 10 * 1024 * 1024
    inflight_response_bytes_semaphore_size: int = 50 * 1024 * 1024
    sample_max_concurrent_requests: int = 2000
    sample_no_retries: bool = False
    sample_use_retrieve_futures: bool = False
    sample_join_sampling_session: bool = False
    billing_exception_max_pause_duration_sec: int = 3600
    custom_loss_server_side: bool = False


@frozen(kw_only=True)
class DynamicFlags(_FlagSet):
    """The flags of `client/dynamic_config`, to be refreshed after `refresh_interval_sec`."""

    refresh_interval_sec: int = 300
    sample_cancel_enabled: bool = False
    sample_cancel_max_batch_size: int = 64

    @property
    def refresh_seconds(self) -> float:
        """Seconds until the next refresh, at least 10 (0.38.0)."""
        return max(10.0, float(self.refresh_interval_sec))


def release_of(config: Mapping[str, Any]) -> str:
    """Returns the newest of `RELEASES` whose flags `client/config` contains."""
    for release, names in _ADDED_FLAGS:
        if not names.isdisjoint(config):
            return release
    return "0.24.1"  # The oldest release with `client/config`.


def at_least(release: str, other: str) -> bool:
    """Whether `release` is `other` or a later one; both must be in `RELEASES`."""
    return RELEASES.index(release) >= RELEASES.index(other)


_ASSUMED = DynamicFlags()


@frozen(kw_only=True)
class ServerProtocol:
    """Which requests a server is known to accept; by default those of release 0.4.1.

    Attributes:
        release: the newest of `RELEASES` whose requests the server is known to accept.
        flags: the flags of its `client/config`; None if it has none.
        dynamic: the flags of its `client/dynamic_config`, or the defaults of 0.38.0.
        training_body: the form of the training data of `forward_backward`.
        forward: whether a forward pass is an operation, whose training data is JSON, or a flag of
            `forward_backward`, whose training data is then protobuf.
        images: whether an image is described by its sizes or by its expected number of tokens.
        other_images: the operations that describe images the other way.
        accepted: the operations of which the server has accepted a request, in their present form.
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
    other_images: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    required_fields: frozenset[str] = frozenset()
    rejected_fields: frozenset[str] = frozenset()
    missing_operations: frozenset[str] = frozenset()
    loads_into_new_model: bool = False

    @cached_property
    def protobuf_results(self) -> bool:
        """Whether results may be requested as protobuf; a server that reads it also writes it."""
        by_flag = self.forward == "flag" and "forward" in self.accepted
        return self.training_body == "protobuf" or by_flag

    @cached_property
    def sample_images(self) -> ImageForm:
        """How the prompt of a sample describes images."""
        return self.images_of("asample")

    @cached_property
    def announces_sizes(self) -> bool:
        """Whether a poll may let the server send the size of a large result instead of it."""
        return self.sends("retrieve_future", "allow_metadata_only")

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

    def form_of(self, operation: str) -> Form | None:
        """The form of an operation's training data; None for an operation without any."""
        if operation == "forward":
            return "json" if self.forward == "operation" else "protobuf"
        return self.training_body if operation in TRAINING else None

    def with_form(self, operation: str, form: Form | None) -> ServerProtocol:
        """A copy with another form of an operation's training data; None changes nothing."""
        if form is None:
            return self
        if operation == "forward":
            return evolve(self, forward="operation" if form == "json" else "flag")
        return evolve(self, training_body=form)

    def images_of(self, operation: str) -> ImageForm:
        """How an operation describes images."""
        if operation not in self.other_images:
            return self.images
        return "sizes" if self.images == "expected_tokens" else "expected_tokens"

    def sparse_in(self, operation: str) -> bool:
        """Whether an operation's JSON may contain CSR matrices; protobuf always may."""
        rejected = fields_of(operation, self.rejected_fields)
        return at_least(self.release, "0.24.1") and rejected.isdisjoint(CSR_INDICES)

    def sends(self, operation: str, name: str) -> bool:
        """Whether to send a field of `VERSIONED_FIELDS`."""
        return f"{operation}.{name}" in self.required_fields

    def required_fields_of(self, operation: str) -> frozenset[str]:
        """The fields of an operation that the server requires and others assume."""
        return fields_of(operation, self.required_fields)

    def rejected_fields_of(self, operation: str) -> frozenset[str]:
        """The fields of an operation that the server rejects."""
        return fields_of(operation, self.rejected_fields)

    def supports(self, operation: str) -> bool:
        """Whether the server may have the operation; False once it reported that it lacks it."""
        return operation not in self.missing_operations

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


def fields_of(operation: str, names: frozenset[str]) -> frozenset[str]:
    """Returns the fields of one operation, without its name, of names like "operation.field"."""
    if not names:
        return names
    prefix = f"{operation}."
    return frozenset(name.removeprefix(prefix) for name in names if name.startswith(prefix))


#: The protocol assumed before negotiation: release 0.4.1.
BASELINE = ServerProtocol()


def from_client_config(
    config: Mapping[str, Any], dynamic: Mapping[str, Any] | None = None
) -> ServerProtocol:
    """Returns the protocol of a server, given the bodies of its two configuration responses.

    `dynamic` is None if the server has no `client/dynamic_config`.
    """
    release, flags = release_of(config), Flags.read(config)
    # A flag of 0.24.1 that decides against protobuf outweighs the flags of a later release.
    is_later = at_least(release, "0.25.0")
    protobuf = flags.proto_write_fwdbwd or (is_later and "proto_write_fwdbwd" not in config)
    by_flag = flags.fwd_via_fwdbwd or (is_later and "fwd_via_fwdbwd" not in config)
    return ServerProtocol(
        release=release,
        flags=flags,
        dynamic=DynamicFlags.read(dynamic or {}),
        training_body="protobuf" if protobuf else "json",
        forward="flag" if protobuf and by_flag else "operation",
        images="expected_tokens",
        required_fields=frozenset(
            f"{operation}.{name}"
            for operation, names in VERSIONED_FIELDS.items()
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
