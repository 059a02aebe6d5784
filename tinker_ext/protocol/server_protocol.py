"""Which dialect of the API a server speaks: asked once at the start, and corrected by refusals.

Releases differ in how requests look. `client/config`, which servers of 0.24.1 and later answer,
tells the release by its flags (`rules.flags`); a server that does not know it speaks 0.4.1's:

=================================  =======  ==========  ==========  ==========  ==========
what a request says                0.4.1    0.24.1      0.25.0      0.32.0      0.38.0
=================================  =======  ==========  ==========  ==========  ==========
training data                      JSON     as flagged  protobuf    protobuf    protobuf
a forward pass                     forward  as flagged  a flag      a flag      a flag
images                             sizes    expected    expected    expected    expected
matrices in compressed rows        no       yes         yes         yes         yes
`optimizer` of `load_weights`      no       yes         yes         yes         yes
`allow_metadata_only` of a poll    no       yes         yes         yes         yes
`retrieved_request_ids`            no       no          no          no          yes
`process_uuid` of telemetry        no       yes         yes         yes         yes
a model from saved weights         loaded   as flagged  as flagged  as flagged  made so
the session's end                  no       no          no          told        told
=================================  =======  ==========  ==========  ==========  ==========

What is learnt late corrects that. A request that then looks otherwise is sent again, under the same
number:

===================================  ================================================
answer                               what is learnt
===================================  ================================================
415 to training data, or 400 or 422  it goes in the other form (JSON or protobuf),
that says the body can't be read     unless that was refused before
404, 405, 501 to `forward`, with     a forward pass is the flag, which only protobuf
no words or a web framework's own    has
404, 405, 501 likewise to another    that the server has not got it (`without`); it is
that a client can do without         not asked again
422 that misses a field we know of   from now on it is said (`told`)
422 that has no use for one          from now on it is not (`untold`): where nothing is lost by it
422 that has no use for the indices  matrices go with all their numbers
of compressed rows
422 to a `load_weights` that makes   models are made first, and loaded then
a model, for want of `model_id`
===================================  ================================================
"""

from __future__ import annotations

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
# What each operation can say if it is asked to, by the release that first had to.
_VERSIONED_FIELDS = {
    "load_weights": {"optimizer": "0.24.1"},
    "retrieve_future": {"allow_metadata_only": "0.24.1"},
    "retrieve_futures": {"retrieved_request_ids": "0.38.0"},
    "send_telemetry": {"process_uuid": "0.24.1"},
}
_ASSUMED = DynamicFlags()
# Operations that a client can do without, and then does.
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
# What goes without saying, whatever its value: nothing the user asked for is lost with it.
_NOTHING: tuple[object, ...] = (None, False, 0, "", [], {})
_DISPENSABLE = frozenset(
    {"type", *(name for names in _VERSIONED_FIELDS.values() for name in names)}
)


@frozen(kw_only=True)
class ServerProtocol:
    """What is known of a server's dialect; the default is that of release 0.4.1.

    Attributes:
        release: the newest of `flags.RELEASES` whose requests it is known to take.
        flags: what it said of itself; None where it has no `client/config`.
        dynamic: what of that may change; as 0.38.0 assumes it where it has not said.
        training_body: the form of training data.
        forward: how a forward pass is asked for.
        images: what is said of an image: its sizes, or how many tokens it is taken for.
        rejected_forms: the forms of training data that it would not have.
        told: fields it has to be told where another server takes them for granted, as
            "operation.field".
        untold: fields it has no use for.
        without: operations it has not got.
        creates_by_load: whether `load_weights` makes models.
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
        """Whether results may be asked for as protobuf; who sends it reads it."""
        return self.training_body == "protobuf"

    @property
    def compresses(self) -> bool:
        """Whether the server wants training data compressed by zstd."""
        return self.flags is not None and self.flags.proto_compress_fwdbwd

    @property
    def parallel(self) -> bool:
        """Whether the requests of one batch may be sent at once, the first one last."""
        return self.flags is not None and self.flags.parallel_fwdbwd_chunks

    @property
    def finishes_sessions(self) -> bool:
        """Whether the server wants to hear of a session's end."""
        return at_least(self.release, "0.32.0") and "finish_session" not in self.missing_operations

    @property
    def sparse(self) -> bool:
        """Whether training data as JSON may have matrices in compressed rows; protobuf may."""
        refused = {name.rpartition(".")[2] for name in self.rejected_fields}
        return at_least(self.release, "0.24.1") and refused.isdisjoint(_INDICES)

    def sends(self, operation: str, name: str) -> bool:
        """Whether a field of `_TELLABLE` is sent."""
        return f"{operation}.{name}" in self.required_fields

    def rejected_fields_of(self, operation: str) -> frozenset[str]:
        """The fields of an operation that the server has no use for."""
        if not self.rejected_fields:
            return self.rejected_fields
        prefix = f"{operation}."
        return frozenset(
            name.removeprefix(prefix) for name in self.rejected_fields if name.startswith(prefix)
        )

    def supports(self, operation: str) -> bool:
        """Whether the server may have the operation: it has not said otherwise."""
        return operation not in self.missing_operations

    def same_requests_as(self, other: ServerProtocol) -> bool:
        """Whether requests look the same in both."""
        return evolve(self, missing_operations=other.missing_operations) == other

    def __str__(self) -> str:
        passes = "a forward operation" if self.forward == "operation" else "forward as a flag"
        known = "" if self.flags is not None else " (no client/config)"
        parts = [f"release {self.release}{known}", f"training data as {self.training_body}", passes]
        if self.flags is not None and self.flags.pjwt_auth_enabled:
            parts.append("keys exchanged for tokens")
        for words, names in (
            ("not told", self.rejected_fields),
            ("without", self.missing_operations),
        ):
            if names:
                parts.append(f"{words} {', '.join(sorted(names))}")
        return ", ".join(parts)


#: What is spoken until a server teaches better: release 0.4.1.
BASELINE = ServerProtocol()


def from_client_config(
    answer: Mapping[str, Any], dynamic: Mapping[str, Any] | None = None
) -> ServerProtocol:
    """The dialect of a server by its `client/config`, and its `client/dynamic_config` if any."""
    release, flags = release_of(answer), Flags.read(answer)
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


def drop_default_fields(body: Mapping[str, Any], refused: Collection[str]) -> dict[str, Any]:
    """A request's body without the fields that its server refuses, where nothing is said by them.

    One that says something stays: the server's refusal then reaches whoever said it.
    """
    return {
        name: value for name, value in body.items() if not (name in refused and _idle(name, value))
    }


def _idle(name: str, value: object) -> bool:
    if name == "optimizer" and value is False:
        return False  # Weights alone are something else than what 0.4.1 loads.
    return name in _DISPENSABLE or value in _NOTHING


def learn_from_error(
    dialect: ServerProtocol, operation: str, status: int, body: object
) -> ServerProtocol | None:
    """The dialect that a refusal teaches; None where it teaches nothing."""
    if no_such_operation(status, body):
        return _without(dialect, operation)
    if status == 422:
        better = _with_other_fields(dialect, operation, body)
        if better is not None:
            return better
    if operation in _TRAINING and is_unreadable_body(status, body):
        return _other_form(dialect)
    return None


def _without(dialect: ServerProtocol, operation: str) -> ServerProtocol | None:
    if operation not in _OPTIONAL or operation in dialect.missing_operations:
        return None
    less = evolve(dialect, missing_operations=dialect.missing_operations | {operation})
    if operation == "forward" and dialect.forward == "operation":
        return None if "protobuf" in dialect.rejected_forms else _by_flag(less)
    return less


def _by_flag(dialect: ServerProtocol) -> ServerProtocol:
    return evolve(dialect, forward="flag", training_body="protobuf")


def _with_other_fields(
    dialect: ServerProtocol, operation: str, body: object
) -> ServerProtocol | None:
    missing, unknown = missing_fields(body), unknown_fields(body)
    if operation == "load_weights" and "model_id" in missing and dialect.loads_into_new_model:
        return evolve(dialect, loads_into_new_model=False)
    if dialect.images == "expected_tokens" and (missing & _SIZES or "expected_tokens" in unknown):
        return evolve(dialect, images="sizes")
    if dialect.images == "sizes" and unknown & _SIZES:
        return evolve(dialect, images="expected_tokens")
    told = {f"{operation}.{name}" for name in missing & _VERSIONED_FIELDS.get(operation, {}).keys()}
    # Only those at the top can be left out.
    idle = unknown_fields(body, at_top=True)
    if operation in _TRAINING:
        idle |= unknown & _INDICES  # Nor are these needed: a matrix can have all its numbers.
    untold = {f"{operation}.{name}" for name in idle}
    better = evolve(
        dialect,
        required_fields=(dialect.required_fields | told) - untold,
        rejected_fields=dialect.rejected_fields | untold,
    )
    return None if better == dialect else better


def _other_form(dialect: ServerProtocol) -> ServerProtocol | None:
    other: Form = "json" if dialect.training_body == "protobuf" else "protobuf"
    if other in dialect.rejected_forms or (
        other == "json" and "forward" in dialect.missing_operations
    ):
        return None
    return evolve(
        dialect,
        training_body=other,
        forward=dialect.forward if other == "protobuf" else "operation",
        rejected_forms=dialect.rejected_forms | {dialect.training_body},
    )
