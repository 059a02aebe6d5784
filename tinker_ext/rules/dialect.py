"""Which dialect of the API a server speaks, learnt from its refusals.

Releases differ in how training data travels. Up to 0.24.1 it is JSON, and a forward pass has an
operation of its own; from 0.25.0 on it is protobuf, and a forward pass is `forward_backward` with a
flag. A client begins with the older form, which needs no question in advance, and changes to the
other when a server says that it does not know it:

===================================  ================================================
answer                               what is learnt
===================================  ================================================
415 to `forward_backward`,           bodies go in the other form (JSON or protobuf),
`forward`                            unless that was refused before
404, 405, 501 to `forward`, with     a forward pass is the flag, which only protobuf
no words or a web framework's own    has
422 to `load_weights` that misses    it has to be said that the optimizer's state is
`optimizer`                          wanted, which goes without saying in 0.4.1
===================================  ================================================

The refused request is sent again under the same sequence number.
"""

from __future__ import annotations

from typing import Literal

from attrs import evolve, frozen

Form = Literal["json", "protobuf"]

_TRAINING = frozenset({"forward", "forward_backward"})
# What each operation can say if it is asked to; servers of 0.24.1 and later require it.
_EXPLICIT = {"load_weights": frozenset({"optimizer"})}
_NO_SUCH_OPERATION = frozenset({404, 405, 501})
# What Starlette and FastAPI say of a path they have not got; a missing model has other words.
_FRAMEWORK_WORDS = frozenset({"Not Found", "Method Not Allowed", "Not Implemented"})


@frozen(kw_only=True)
class Dialect:
    """What is known of a server's dialect; the default is that of release 0.4.1.

    `training_body` is the form of training data, `forward` how a forward pass is asked for,
    `refused` the forms the server would not have. `explicit` are the fields that the server wants
    to be told where another takes them for granted.
    """

    training_body: Form = "json"
    forward: Literal["operation", "flag"] = "operation"
    refused: frozenset[Form] = frozenset()
    explicit: frozenset[str] = frozenset()

    @property
    def protobuf_results(self) -> bool:
        """Whether results may be asked for as protobuf; who sends it reads it."""
        return self.training_body == "protobuf"

    def __str__(self) -> str:
        passes = "a forward operation" if self.forward == "operation" else "forward as a flag"
        told = "".join(f", {name} said" for name in sorted(self.explicit))
        return f"training data as {self.training_body}, {passes}{told}"


#: What is spoken until a server teaches better: release 0.4.1.
FIRST = Dialect()


def corrected(dialect: Dialect, operation: str, status: int, body: object) -> Dialect | None:
    """The dialect that a refusal teaches; None where it teaches nothing."""
    if operation not in _TRAINING:
        return _with_fields(dialect, operation, status, body)
    if status == 415:
        return _other_form(dialect)
    if operation == "forward" and dialect.forward == "operation" and _unknown(status, body):
        if "protobuf" in dialect.refused:
            return None
        return evolve(dialect, forward="flag", training_body="protobuf")
    return None


def _with_fields(dialect: Dialect, operation: str, status: int, body: object) -> Dialect | None:
    asked = _missing(body) if status == 422 else frozenset()
    new = asked & _EXPLICIT.get(operation, frozenset()) - dialect.explicit
    return evolve(dialect, explicit=dialect.explicit | new) if new else None


def _missing(body: object) -> frozenset[str]:
    """The fields that an answer of FastAPI's shape misses in the request's body."""
    entries = body.get("detail") if isinstance(body, dict) else None
    return frozenset(
        str(entry["loc"][-1])
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
        and entry.get("type") == "missing"
        and isinstance(entry.get("loc"), list)
        and entry["loc"][:1] == ["body"]
    )


def _other_form(dialect: Dialect) -> Dialect | None:
    other: Form = "json" if dialect.training_body == "protobuf" else "protobuf"
    if other in dialect.refused or (other == "json" and dialect.forward == "flag"):
        return None
    return evolve(dialect, training_body=other, refused=dialect.refused | {dialect.training_body})


def _unknown(status: int, body: object) -> bool:
    """Whether an answer says that there is no such operation, and not no such model."""
    if status not in _NO_SUCH_OPERATION:
        return False
    words = body.get("detail") if isinstance(body, dict) else body
    return not words or not isinstance(words, str) or words.strip() in _FRAMEWORK_WORDS
