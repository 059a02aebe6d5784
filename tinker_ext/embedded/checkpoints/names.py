"""Checkpoint names: ``tinker://RUN/weights/NAME``, ``tinker://RUN/sampler_weights/NAME``."""

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

# A path segment that is a safe file name on all platforms: no separators, no leading dot, and well
# below the limit of 255 bytes of most file systems.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+=@-]{0,199}")


class BadNameError(ValueError):
    """An invalid checkpoint name or path. The message shows the valid form."""


@frozen
class CheckpointName:
    """The full name of one checkpoint."""

    run_id: str
    kind: CheckpointKind
    name: str

    @property
    def path(self) -> str:
        """The tinker:// path."""
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
        """Parse a tinker:// path.

        Raises:
            BadNameError: the path has another form.
        """
        segments = path.removeprefix(SCHEME).split("/")
        if not path.startswith(SCHEME) or len(segments) != 3 or not segments[0]:
            raise BadNameError(
                f"{path!r} is not a checkpoint path: expected "
                "tinker://RUN/weights/NAME, tinker://RUN/sampler_weights/NAME or "
                "tinker://RUN/external_weights/NAME"
            )
        run_id, kind, name = segments
        return cls(run_id=run_id, kind=parse_kind(kind), name=check_name(name))


def parse_kind(text: str) -> CheckpointKind:
    """Check the segment between run and name.

    Raises:
        BadNameError: the kind is unknown.
    """
    for kind in get_args(CheckpointKind):
        if text == kind:
            return kind  # type: ignore[no-any-return]  # get_args is untyped
    raise BadNameError(f"{text!r} is not a checkpoint kind: choose one of {', '.join(_TYPES)}")


def check_name(text: str) -> str:
    """Return the name if it is valid.

    Raises:
        BadNameError: the name is too long or contains other characters.
    """
    if _NAME.fullmatch(text) is None:
        raise BadNameError(
            f"{text!r} is not a valid checkpoint name: use 1 to 200 letters, digits or "
            "_ . : + = @ -, starting with a letter, digit or _"
        )
    return text
