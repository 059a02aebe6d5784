"""Publish `openapi/tinker.yaml` as a revision: `python scripts/revision.py` (`make revision`)."""

from __future__ import annotations

import sys

from codegen.documents import load_yaml
from codegen.emit.revisions import PUBLISHED, publish, published, revisions_text
from codegen.paths import REVISION_LOG, ROOT, SPECIFICATION


def main() -> int:
    document = load_yaml(SPECIFICATION)
    try:
        version = publish(document)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    REVISION_LOG.write_text(revisions_text(document, published()), encoding="utf-8")
    print(f"{PUBLISHED.relative_to(ROOT)}: revision {version}")
    return 0
