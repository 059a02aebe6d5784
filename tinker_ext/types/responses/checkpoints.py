"""Checkpoints: records, `tinker://` paths, signed URLs and downloads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.checkpoint_path import DOT_SEGMENTS, SCHEME, TYPE_BY_SEGMENT
from tinker_ext.types.display import abbreviated, table
from tinker_ext.types.records import Record
from tinker_ext.types.structuring import ResponseType, as_utc, converted_by, required

#: Release 0.4.1 has the first two, 0.38.0 all three; later servers may have others.
CheckpointType: TypeAlias = Literal["training", "sampler", "external"] | str


@frozen
class ParsedCheckpointTinkerPath(Record):
    """The parts of ``tinker://RUN/weights/NAME``; `TYPE_BY_SEGMENT` lists the other kinds.

    Used to address a checkpoint by run and id. A path that is only passed on (to sample from, to
    load) is not parsed. The form ``tinker://RUN/NAME`` of some servers is accepted: its
    `checkpoint_id` has one segment, and its `checkpoint_type` is None.
    """

    tinker_path: str
    training_run_id: str
    checkpoint_type: Literal["training", "sampler", "external"] | None
    checkpoint_id: str
    """Two segments, such as ``weights/0001``, or only the name if the path has no kind."""

    @classmethod
    def from_tinker_path(cls, tinker_path: str) -> ParsedCheckpointTinkerPath:
        """Parses a path.

        Raises:
            InvalidInputError: (a ValueError) the path has another form.
        """
        run, *checkpoint = segments = str(tinker_path).removeprefix(SCHEME).split("/")
        is_valid = run and _is_checkpoint_id(checkpoint) and DOT_SEGMENTS.isdisjoint(segments)
        if not str(tinker_path).startswith(SCHEME) or not is_valid:
            raise InvalidInputError(
                f"{tinker_path!r} is not of the form tinker://RUN/weights/NAME, "
                "tinker://RUN/sampler_weights/NAME or tinker://RUN/external_weights/NAME",
                where="tinker_path",
            )
        return cls(tinker_path, run, TYPE_BY_SEGMENT.get(checkpoint[0]), "/".join(checkpoint))

    @classmethod
    def from_record(cls, training_run_id: str, record: Checkpoint) -> ParsedCheckpointTinkerPath:
        """The parts of a listed checkpoint, whose path may have any form."""
        kind = TYPE_BY_SEGMENT.get(record.checkpoint_id.rpartition("/")[0])
        return cls(record.tinker_path, training_run_id, kind, record.checkpoint_id)

    @property
    def checkpoint_kind(self) -> str:
        """The segment before the name, such as ``weights``; empty if there is none."""
        return self.checkpoint_id.rpartition("/")[0]

    @property
    def checkpoint_name(self) -> str:
        """The path's last segment."""
        return self.checkpoint_id.rpartition("/")[2]


def _is_checkpoint_id(segments: list[str]) -> bool:
    """Returns True for a kind and a name, or for a name that is not itself a kind."""
    *kind, name = segments or [""]
    if kind:
        return len(kind) == 1 and kind[0] in TYPE_BY_SEGMENT and bool(name)
    return bool(name) and name not in TYPE_BY_SEGMENT


@frozen
class Checkpoint(ResponseType):
    """A saved checkpoint.

    Times have a zone. `size_bytes` is None if unknown, `expires_at` if the checkpoint never
    expires. Any other field is None if the server sends no valid value.
    """

    checkpoint_id: str
    checkpoint_type: CheckpointType = field(metadata=converted_by(str))
    time: datetime
    tinker_path: str
    size_bytes: int | None = None
    public: bool = False
    user_metadata: dict[str, str] | None = None
    expires_at: datetime | None = None


@frozen
class Cursor(ResponseType):
    """A page's position in a list: items skipped, the page's limit, and all items."""

    offset: int = field(metadata=required())
    limit: int = field(metadata=required())
    total_count: int = field(metadata=required())


@frozen
class CheckpointsListResponse(ResponseType):
    """A page of checkpoints; `cursor` is None if the list is complete."""

    checkpoints: list[Checkpoint] = field(repr=abbreviated)
    cursor: Cursor | None = None

    def _repr_html_(self) -> str:
        """The checkpoints as a table, for notebooks."""
        return table(
            {
                "path": item.tinker_path,
                "type": item.checkpoint_type,
                "time": item.time,
                "bytes": item.size_bytes,
                "public": "yes" if item.public else None,
                "expires": item.expires_at,
            }
            for item in self.checkpoints
        )


def _in_utc(time: datetime) -> datetime:
    return as_utc(time).astimezone(UTC)


@frozen
class CheckpointArchiveUrlResponse(ResponseType):
    """The signed URL of a checkpoint's archive, and its expiry in UTC."""

    url: str = field(metadata=required())
    expires: datetime = field(metadata=converted_by(_in_utc))


@frozen
class ExternalWeightsUrlsResponse(ResponseType):
    """The signed URLs of an external checkpoint's files by name, and their expiry in UTC."""

    urls: dict[str, str] = field(metadata=required())
    expires: datetime = field(metadata=converted_by(_in_utc))


@frozen
class DownloadProgress(Record):
    """The progress of a download.

    Attributes:
        stage: "preparing" while the server packs an archive or exports weights, then "downloading".
        bytes_done: bytes on disk, including those of an earlier download that is resumed.
        bytes_total: the size of all files; None until the storage has reported every size.
        files_done, files_total: complete files and all files; 0 of 0 while preparing.
        elapsed: seconds since the call started.
    """

    stage: Literal["preparing", "downloading"]
    bytes_done: int
    bytes_total: int | None
    files_done: int
    files_total: int
    elapsed: float


@frozen
class CheckpointDownload(Record):
    """A finished download.

    Attributes:
        tinker_path: the checkpoint.
        archive: the tar.gz file if the server packs archives, else None.
        folder: the folder that contains the files; None if the archive was not extracted.
        files: the files in `folder`, or only the archive.
        size_bytes: the size of the downloaded files.
    """

    tinker_path: str
    archive: Path | None
    folder: Path | None
    files: tuple[Path, ...]
    size_bytes: int
