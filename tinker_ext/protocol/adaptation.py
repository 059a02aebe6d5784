"""How a request is adapted to the responses of a server.

An error response may mean that the server accepts the request in another form. The request is then
sent again, changed, with the same sequence number. What the client knows about the server (its
`ServerProtocol`) changes only when the server accepts a changed request, and only for the operation
of that request. A form that the server has accepted for an operation stays the form of that
operation, whatever later errors say.

Training data is JSON or protobuf, as the flags of `client/config` decide, or JSON if the server has
none. Until the server accepts a request of the operation, the other form is tried once per call:

======================================  ========================================================
error response                          the other form is tried
======================================  ========================================================
415; 400 or 422 for a body that the     always; but a forward pass is only sent as a flag if the
server can't parse                      server has no flags that decide otherwise
405 or 501; 404 without a message, or   JSON instead of protobuf always, because that is a route
with that of a framework; 400 or 422    or body that the server may have; protobuf instead of
without a message; the third 500        JSON only if the server has no flags
======================================  ========================================================

If the server rejects that trial too (400, 404, 405, 415, 422, 500, 501), the call fails with the
first error, or returns to the first form and its retries if the first error was a 500. The error to
the trial is reported instead if the server could not parse the first form, but names a mistake in
the data. Any other failure of a trial (an authentication error, a rate limit, a proxy's error) is
the call's own.

Fields are adapted in either form:

======================================  ========================================================
error response                          change
======================================  ========================================================
400, 422 for a missing field that the   send the field (`required_fields`)
client knows or has omitted
400, 422 for an unknown field           omit the field (`rejected_fields`) if that loses no
                                        information
400, 422 for the size or token fields   describe images the other way (`other_images`)
of images
400, 422 for the indices of CSR         send matrices in dense form (`rejected_fields`)
matrices
======================================  ========================================================

Two facts are learned from the error itself, because the client can do without them: a missing
optional operation (an error as in the second row, if it has never succeeded), and a
`load_weights` that requires a `model_id` and so can't create the model.
"""

from __future__ import annotations

from attrs import evolve, frozen

from tinker_ext.protocol.error_responses import (
    has_no_message,
    is_unreadable_body,
    missing_fields,
    no_such_operation,
    unknown_fields,
)
from tinker_ext.protocol.server_protocol import (
    CSR_INDICES,
    TRAINING,
    VERSIONED_FIELDS,
    Form,
    ServerProtocol,
)

#: Attempts after which a 500 counts as the rejection of a form that was never accepted; ours. A
#: fault that passes rarely lasts as long as their backoff.
SERVER_ERROR_ATTEMPTS = 3
#: Changed requests of one call; ours. Frameworks that report one unknown field at a time need one
#: for each default field of a request, of which none has more than 20.
MAX_RESENDS = 32
#: Status codes of errors about fields.
FIELD_ERRORS = frozenset({400, 422})

# Operations that the client can do without.
_OPTIONAL = frozenset(
    {
        "cancel_future",
        "finish_session",
        "get_sampler",
        "get_weights_info",
        "join_sampling_session",
        "retrieve_futures",
    }
)
# Operations whose acceptance changes how later errors are understood.
_TRACKED = TRAINING | _OPTIONAL
_SIZES = frozenset({"height", "width"})
# Status codes by which a server rejects a form that it does not accept.
_REJECTIONS = frozenset({400, 404, 405, 415, 422, 500, 501})


@frozen(kw_only=True)
class Attempt:
    """How one call sends its next request.

    Attributes:
        known: the protocol of the server as it is known, without the changes of this call.
        protocol: the protocol that the request is built with.
        limited: whether a 500 ends the retries early, because it may mean the form of the request.
        first_status: the error to the first form, while the other is on trial; otherwise None.
        resends: the number of changed requests so far.
    """

    known: ServerProtocol
    protocol: ServerProtocol
    limited: bool = False
    first_status: int | None = None
    resends: int = 0


def first_attempt(known: ServerProtocol, operation: str) -> Attempt:
    """Returns how a call sends its first request."""
    return Attempt(known=known, protocol=known, limited=operation in TRAINING - known.accepted)


def with_known(attempt: Attempt, known: ServerProtocol, operation: str) -> Attempt:
    """Returns the attempt, given what is known about the server now.

    If other calls or the negotiation have changed what is known about the operation, the changes of
    this call are dropped.
    """
    if known is attempt.known:
        return attempt
    unchanged = attempt.protocol is attempt.known
    if not unchanged and _request(known, operation) == _request(attempt.known, operation):
        return attempt
    return evolve(attempt, known=known, protocol=known, first_status=None)


def server_error_attempts(attempt: Attempt) -> int | None:
    """Returns the number of attempts after which a 500 is not retried; None for no limit."""
    if attempt.first_status is not None:
        return 1
    return SERVER_ERROR_ATTEMPTS if attempt.limited else None


def after_error(
    attempt: Attempt,
    known: ServerProtocol,
    operation: str,
    status: int,
    body: object,
    *,
    final: bool,
) -> Attempt | None:
    """Returns how to send the request again after an error response; None to report an error.

    `known` is what is known about the server now. `final` is true if the server has said that a
    retry would not help (`x-should-retry`, or the category of the error).
    """
    if attempt.resends >= MAX_RESENDS:
        return None
    attempt = evolve(attempt, resends=attempt.resends + 1)
    current = with_known(attempt, known, operation)
    if _request(current.protocol, operation) != _request(attempt.protocol, operation):
        return current
    if status in FIELD_ERRORS:
        changed = _with_other_fields(current, operation, body)
        if changed is not None:
            return evolve(current, protocol=changed)
    if current.first_status is not None:
        return _after_trial(current, operation, status)
    cut_short = status == 500 and current.limited and not final
    if operation in TRAINING - current.known.accepted:
        form = _other_form(current.protocol, operation)
        if _may_try(form, current.protocol, operation, status, body, cut_short=cut_short):
            changed = current.protocol.with_form(operation, form)
            return evolve(current, protocol=changed, first_status=status)
    return evolve(current, limited=False) if cut_short else None


def reports_first_error(attempt: Attempt, first_body: object, status: int, body: object) -> bool:
    """Whether a failed call reports the error to its first form instead of that to the trial.

    It does not if the first error only says that the server can't parse that form, and the error to
    the trial says what is wrong with the data.
    """
    if attempt.first_status is None or status not in _REJECTIONS:
        return False
    explains_data = (
        status in (400, 404, 422)
        and not is_unreadable_body(status, body)
        and not no_such_operation(status, body)
        and not has_no_message(body)
    )
    return not (explains_data and is_unreadable_body(attempt.first_status, first_body))


def after_success(attempt: Attempt, known: ServerProtocol, operation: str) -> ServerProtocol:
    """Returns what is known about the server after it has accepted a request."""
    learned = known
    if operation in known.missing_operations:
        learned = evolve(learned, missing_operations=known.missing_operations - {operation})
    if attempt.protocol is not attempt.known:
        learned = _with_fields_of(learned, attempt)
    if operation in known.accepted or operation not in _TRACKED:
        return learned
    form = attempt.protocol.form_of(operation)
    learned = evolve(learned.with_form(operation, form), accepted=known.accepted | {operation})
    if operation == "forward" and form == "protobuf" and "forward_backward" not in known.accepted:
        # The server reads protobuf at the route of `forward_backward`: start with it there too.
        learned = learned.with_form("forward_backward", form)
    return learned


def learn_from_error(
    known: ServerProtocol, operation: str, status: int, body: object
) -> ServerProtocol:
    """Returns what is known about the server after an error response, however the call ends."""
    if no_such_operation(status, body) and operation in _OPTIONAL - known.accepted:
        return evolve(known, missing_operations=known.missing_operations | {operation})
    if status == 422 and operation == "load_weights" and "model_id" in missing_fields(body):
        return evolve(known, loads_into_new_model=False)
    return known


def after_negotiation(known: ServerProtocol, negotiated: ServerProtocol) -> ServerProtocol:
    """Returns the negotiated protocol with the forms that the server accepted before."""
    for operation in TRAINING & known.accepted:
        negotiated = negotiated.with_form(operation, known.form_of(operation))
    return evolve(negotiated, accepted=negotiated.accepted | known.accepted)


def _request(protocol: ServerProtocol, operation: str) -> tuple[object, ...]:
    """What decides how a request of an operation is built."""
    return (
        protocol.release,
        protocol.flags,
        protocol.form_of(operation),
        protocol.images_of(operation),
        protocol.required_fields_of(operation),
        protocol.rejected_fields_of(operation),
        operation == "load_weights" and protocol.loads_into_new_model,
    )


def _other_form(protocol: ServerProtocol, operation: str) -> Form:
    return "json" if protocol.form_of(operation) == "protobuf" else "protobuf"


def _may_try(
    form: Form,
    protocol: ServerProtocol,
    operation: str,
    status: int,
    body: object,
    *,
    cut_short: bool,
) -> bool:
    """Whether an error response suggests a form that the server's flags allow.

    `cut_short` is true for a 500 whose retries were cut short.
    """
    unflagged = form == "json" or protocol.flags is None
    if is_unreadable_body(status, body):
        return unflagged or operation == "forward_backward"
    has_no_reason = status in (400, 422) and has_no_message(body)
    return unflagged and (no_such_operation(status, body) or has_no_reason or cut_short)


def _after_trial(attempt: Attempt, operation: str, status: int) -> Attempt | None:
    """After a rejected trial: back to the first form if its retries were cut short."""
    if attempt.first_status != 500 or status not in _REJECTIONS:
        return None
    form = attempt.known.form_of(operation)
    first = attempt.protocol.with_form(operation, form)
    return evolve(attempt, protocol=first, limited=False, first_status=None)


def _with_other_fields(attempt: Attempt, operation: str, body: object) -> ServerProtocol | None:
    """The protocol with the fields that an error body requires; each is changed once per call."""
    protocol, known = attempt.protocol, attempt.known
    missing, unknown = missing_fields(body), unknown_fields(body)
    if operation not in protocol.other_images ^ known.other_images and _rejects_images(
        protocol, operation, missing, unknown
    ):
        return evolve(protocol, other_images=protocol.other_images ^ {operation})
    changed = (protocol.required_fields ^ known.required_fields) | (
        protocol.rejected_fields ^ known.rejected_fields
    )
    versioned = missing & VERSIONED_FIELDS.get(operation, {}).keys()
    required = {f"{operation}.{name}" for name in versioned} - changed
    restored = {f"{operation}.{name}" for name in missing} - changed
    # Only top-level fields can be omitted.
    omittable = unknown_fields(body, at_top=True)
    if operation in TRAINING:
        omittable |= unknown & CSR_INDICES  # A matrix can be sent in dense form instead.
    rejected = {f"{operation}.{name}" for name in omittable} - changed
    corrected = evolve(
        protocol,
        required_fields=(protocol.required_fields | required) - rejected,
        rejected_fields=(protocol.rejected_fields - restored) | rejected,
    )
    return None if corrected == protocol else corrected


def _rejects_images(
    protocol: ServerProtocol, operation: str, missing: frozenset[str], unknown: frozenset[str]
) -> bool:
    if protocol.images_of(operation) == "sizes":
        return bool(unknown & _SIZES) or "expected_tokens" in missing
    return bool(missing & _SIZES) or "expected_tokens" in unknown


def _with_fields_of(learned: ServerProtocol, attempt: Attempt) -> ServerProtocol:
    """The protocol with the fields that an accepted attempt changed."""
    before, after = attempt.known, attempt.protocol

    def merged(known: frozenset[str], old: frozenset[str], new: frozenset[str]) -> frozenset[str]:
        return (known | (new - old)) - (old - new)

    return evolve(
        learned,
        required_fields=merged(
            learned.required_fields, before.required_fields, after.required_fields
        ),
        rejected_fields=merged(
            learned.rejected_fields, before.rejected_fields, after.rejected_fields
        ),
        other_images=merged(learned.other_images, before.other_images, after.other_images),
    )
