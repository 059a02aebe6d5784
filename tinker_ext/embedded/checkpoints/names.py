"""What a checkpoint is called: ``tinker://RUN/weights/NAME``, ``tinker://RUN/sampler_weights/NAME``."""

from __future__ import annotations

import re
from typing import Literal, Self, get_args

from attrs import frozen

SCHEME = "tinker://"

CheckpointKind = Literal["weights", "sampler_weights", "external_weights"]
CheckpointType = Literal["training", "sampler", "external"]
_TYPES: dict[CheckpointKind, CheckpointType] = {
    "weights": "training",
    "sampler_weights": "sampler",
    "external_weights": "external",
}

# One path segment that is also a safe file name everywhere: no separators, no leading dot.
# 200 leaves room below the 255 bytes most file systems allow.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+=@-]{0,199}")


class BadNameError(ValueError):
    """A name or path that no checkpoint can have. The message says what one looks like."""


@frozen
class CheckpointName:
    """The full name of one checkpoint."""

    run_id: str
    kind: CheckpointKind
    name: str

    @property
    def path(self) -> str:
        """The address users see and give back."""
        return f"{SCHEME}{self.run_id}/{self.kind}/{self.name}"

    @property
    def checkpoint_id(self) -> str:
        """The name within its run."""
        return f"{self.kind}/{self.name}"

    @property
    def checkpoint_type(self) -> CheckpointType:
        return _TYPES[self.kind]

    @classmethod
    def parse(cls, path: str) -> Self:
        """Read a tinker:// path.

        Raises:
            BadNameError: it has another shape.
        """
        segments = path.removeprefix(SCHEME).split("/")
        if not path.startswith(SCHEME) or len(segments) != 3 or not segments[0]:
            raise BadNameError(
                f"{path!r} is not a checkpoint path: it looks like "
                "tinker://RUN/weights/NAME, tinker://RUN/sampler_weights/NAME or "
                "tinker://RUN/external_weights/NAME"
            )
        run_id, kind, name = segments
        return cls(run_id=run_id, kind=parse_kind(kind), name=checked_name(name))


def parse_kind(text: str) -> CheckpointKind:
    """The segment between run and name.

    Raises:
        BadNameError: it is another text.
    """
    for kind in get_args(CheckpointKind):
        if text == kind:
            return kind  # type: ignore[no-any-return]  # get_args is untyped
    raise BadNameError(f"{text!r} is not a kind of checkpoint: {', '.join(_TYPES)}")


def checked_name(text: str) -> str:
    """The name itself, when it can be one.

    Raises:
        BadNameError: it could not be a folder's name.
    """
    if _NAME.fullmatch(text) is None:
        raise BadNameError(
            f"{text!r} cannot name a checkpoint: up to 200 letters, digits and _ . : + = @ -, "
            "the first a letter, a digit or _"
        )
    return text
