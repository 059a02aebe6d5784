"""Archives and single files: a signed address that lasts for a while, and the tar.gz."""

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

# The official SDK assumes this lifetime when a server names none (tinker 0.4.1,
# resources/weights.py).
LIFETIME_SECONDS = 15 * 60

# Trained weights are noise to a compressor: more effort buys one percent and costs seconds.
GZIP_LEVEL = 1

ROUTE = "/archives/{training_run_id}/{checkpoint_kind}/{checkpoint_name}"
FILE_ROUTE = ROUTE + "/{file}"


@frozen
class ArchiveSigner:
    """Makes and checks addresses nobody can guess. The secret belongs to the state folder."""

    secret: bytes

    def address(self, name: CheckpointName, expires: int, file: str = "") -> str:
        """Path and query of an archive, or a file, that may be fetched until `expires`."""
        parts = [name.run_id, name.kind, name.name, *([file] if file else [])]
        path = "/".join(quote(part, safe="") for part in parts)
        signature = self._signature(name, str(expires), file)
        return f"/archives/{path}?{urlencode({'expires': expires, 'signature': signature})}"

    def admits(
        self, name: CheckpointName, query: Mapping[str, str], now: float, file: str = ""
    ) -> bool:
        """Whether the address was signed here and has not expired."""
        expires = query.get("expires", "")
        expected = self._signature(name, expires, file)
        signed = hmac.compare_digest(
            expected.encode(), query.get("signature", "").encode("utf-8", "replace")
        )
        return signed and now < int(expires)

    def _signature(self, name: CheckpointName, expires: str, file: str) -> str:
        # No name has a slash, so none of a file is that of an archive.
        message = f"{name.path}{'/' if file else ''}{file} {expires}".encode()
        return hmac.new(self.secret, message, hashlib.sha256).hexdigest()


def pack(folder: Path, archive: Path) -> None:
    """Write the folder's files into a new tar.gz, at its top level."""
    with tarfile.open(archive, "x:gz", compresslevel=GZIP_LEVEL) as tar:
        for file in sorted(folder.iterdir()):
            tar.add(file, arcname=file.name, filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """No names or numbers of the local user leave the machine."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member
