"""Signed URLs of archives and single files, and the tar.gz archives."""

from __future__ import annotations

import hashlib
import hmac
import tarfile
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tinker_ext.embedded.checkpoints.names import CheckpointName

# The lifetime that the official SDK assumes if a server reports none (tinker 0.4.1,
# resources/weights.py).
LIFETIME_SECONDS = 15 * 60

# Trained weights hardly compress: a higher level saves one percent and takes seconds.
GZIP_LEVEL = 1

ROUTE = "/archives/{training_run_id}/{checkpoint_kind}/{checkpoint_name}"
FILE_ROUTE = ROUTE + "/{file}"


@frozen
class ArchiveSigner:
    """Signs and checks URLs, with the secret of the state folder."""

    secret: bytes

    def sign(self, name: CheckpointName, expires: int, file: str = "") -> str:
        """The path and query of an archive, or of one file of it, valid until `expires`."""
        parts = [name.run_id, name.kind, name.name, *([file] if file else [])]
        path = "/".join(quote(part, safe="") for part in parts)
        signature = self._signature(name, str(expires), file)
        return f"/archives/{path}?{urlencode({'expires': expires, 'signature': signature})}"

    def is_valid(
        self, name: CheckpointName, query: Mapping[str, str], now: float, file: str = ""
    ) -> bool:
        """Whether the query was signed with this secret and has not expired."""
        expires = query.get("expires", "")
        expected = self._signature(name, expires, file)
        matches = hmac.compare_digest(
            expected.encode(), query.get("signature", "").encode("utf-8", "replace")
        )
        return matches and now < int(expires)

    def _signature(self, name: CheckpointName, expires: str, file: str) -> str:
        # Names contain no slash, so the signature of a file never matches that of an archive.
        message = f"{name.path}{'/' if file else ''}{file} {expires}".encode()
        return hmac.new(self.secret, message, hashlib.sha256).hexdigest()


def pack(folder: Path, archive: Path) -> None:
    """Write the folder's files to the top level of a new tar.gz archive."""
    with tarfile.open(archive, "x:gz", compresslevel=GZIP_LEVEL) as tar:
        for file in sorted(folder.iterdir()):
            tar.add(file, arcname=file.name, filter=_anonymize)


def _anonymize(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Remove the name and id of the local user."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member
