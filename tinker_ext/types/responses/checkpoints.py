"""Checkpoints: their records, their `tinker://` paths, and what saving and loading answer."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.unset import as_dict, as_utc, or_default, or_none

if TYPE_CHECKING:
    from datetime import datetime

    from tinker_api import models as api

#: Release 0.4.1 knows the first two, 0.38.0 all; a later server may list others.
CheckpointType: TypeAlias = Literal["training", "sampler", "external"] | str

SCHEME = "tinker://"
#: The second segment of a path, and the kind of checkpoint it stands for. Some servers say
#: ``checkpoints`` in place of ``weights``, or leave the segment out.
TYPE_BY_SEGMENT: dict[str, Literal["training", "sampler", "external"]] = {
    "weights": "training",
    "sampler_weights": "sampler",
    "external_weights": "external",
    "checkpoints": "training",
}
#: No names: in a URL they stand for other places, so another resource would be asked for (RFC 3986,
#: 5.2.4).
DOT_SEGMENTS = frozenset({".", ".."})


@frozen
class ParsedCheckpointTinkerPath:
    """The parts of ``tinker://RUN/weights/NAME``; `TYPE_BY_SEGMENT` has the other kinds.

    Needed to address a checkpoint by run and id. A path that is only passed on (to sample
    from, to load) needs no parsing. ``tinker://RUN/NAME``, as some servers call theirs, is read
    too: such a checkpoint has an id of one segment, and its type does not show.
    """

    tinker_path: str
    training_run_id: str
    checkpoint_type: Literal["training", "sampler", "external"] | None
    checkpoint_id: str
    """Two segments, such as ``weights/0001``; the name alone where the path has no other."""

    @classmethod
    def from_tinker_path(cls, tinker_path: str) -> ParsedCheckpointTinkerPath:
        """Parse a path.

        Raises:
            InvalidInputError: (a ValueError) the path has another shape.
        """
        run, *rest = segments = str(tinker_path).removeprefix(SCHEME).split("/")
        named = run and _is_checkpoint_id(rest) and DOT_SEGMENTS.isdisjoint(segments)
        if not str(tinker_path).startswith(SCHEME) or not named:
            raise InvalidInputError(
                f"{tinker_path!r} is not of the form tinker://RUN/weights/NAME, "
                "tinker://RUN/sampler_weights/NAME or tinker://RUN/external_weights/NAME",
                where="tinker_path",
            )
        return cls(tinker_path, run, TYPE_BY_SEGMENT.get(rest[0]), "/".join(rest))

    @property
    def checkpoint_kind(self) -> str:
        """The segment before the name, such as ``weights``; empty where there is none."""
        return self.checkpoint_id.rpartition("/")[0]

    @property
    def checkpoint_name(self) -> str:
        """The path's last segment."""
        return self.checkpoint_id.rpartition("/")[2]


def _is_checkpoint_id(segments: list[str]) -> bool:
    """Whether these are a kind and a name, or a name that is none of the kinds."""
    *kind, name = segments or [""]
    if kind:
        return len(kind) == 1 and kind[0] in TYPE_BY_SEGMENT and bool(name)
    return bool(name) and name not in TYPE_BY_SEGMENT


@frozen
class Checkpoint:
    """A saved checkpoint.

    Times have a zone; `size_bytes` is None where unknown, `expires_at` where it is kept for good.
    """

    checkpoint_id: str
    checkpoint_type: CheckpointType
    time: datetime
    tinker_path: str
    size_bytes: int | None = None
    public: bool = False
    user_metadata: dict[str, str] | None = None
    expires_at: datetime | None = None

    @classmethod
    def from_api(cls, model: api.Checkpoint) -> Checkpoint:
        """Read a record."""
        expires = or_none(model.expires_at)
        return cls(
            checkpoint_id=model.checkpoint_id,
            checkpoint_type=str(model.checkpoint_type),
            time=as_utc(model.time),
            tinker_path=model.tinker_path,
            size_bytes=or_none(model.size_bytes),
            public=or_default(model.public, False),
            user_metadata=as_dict(model.user_metadata),
            expires_at=None if expires is None else as_utc(expires),
        )


@frozen
class Cursor:
    """A place in a list: items skipped, items asked for, items there are."""

    offset: int
    limit: int
    total_count: int

    @classmethod
    def from_api(cls, model: api.Cursor) -> Cursor:
        """Read a cursor."""
        return cls(offset=model.offset, limit=model.limit, total_count=model.total_count)


@frozen
class CheckpointsListResponse:
    """A page of checkpoints; `cursor` is None where the list is whole."""

    checkpoints: list[Checkpoint]
    cursor: Cursor | None = None

    @classmethod
    def from_api(cls, model: api.CheckpointsListResponse) -> CheckpointsListResponse:
        """Read a page; a missing list becomes empty."""
        cursor = or_none(model.cursor)
        return cls(
            checkpoints=[Checkpoint.from_api(one) for one in or_default(model.checkpoints, [])],
            cursor=None if cursor is None else Cursor.from_api(cursor),
        )


@frozen
class CheckpointArchiveUrlResponse:
    """A signed address of a checkpoint's archive, and when it ends (aware, UTC)."""

    url: str
    expires: datetime

    @classmethod
    def from_api(cls, model: api.CheckpointArchiveUrlResponse) -> CheckpointArchiveUrlResponse:
        """Read a record; the time is brought to UTC."""
        return cls(url=model.url, expires=as_utc(model.expires).astimezone(UTC))


@frozen
class ExternalWeightsUrlsResponse:
    """Signed addresses of an external checkpoint's files, by name, and when they end (aware)."""

    urls: dict[str, str]
    expires: datetime

    @classmethod
    def from_api(cls, model: api.ExternalWeightsUrlsResponse) -> ExternalWeightsUrlsResponse:
        """Read an answer; a missing map becomes empty."""
        return cls(urls=as_dict(model.urls) or {}, expires=as_utc(model.expires).astimezone(UTC))
