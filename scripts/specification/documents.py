"""Reading and writing documents, always in the same form, so that files compare byte for byte."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

Json = dict[str, Any]

LINE_WIDTH = 100


def load_yaml(path: Path) -> Json:
    """The document at `path`, as plain dictionaries and lists."""
    document: Json = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return document


def dump_yaml(document: Json, *, header: str = "") -> str:
    """`document` as YAML: keys in their order, no anchors, `header` as leading comment lines."""
    yaml = YAML()
    yaml.width = LINE_WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.ignore_aliases = lambda _data: True
    stream = io.StringIO()
    yaml.dump(_block_strings(document), stream)
    comment = "".join(f"# {line}\n" for line in header.splitlines())
    return comment + stream.getvalue()


def dump_json(document: Json) -> str:
    """`document` as JSON with two spaces of indentation and a final newline."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _block_strings(value: Any) -> Any:
    """Texts of several lines are written as YAML blocks, everything else as it is."""
    if isinstance(value, dict):
        return {key: _block_strings(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_block_strings(item) for item in value]
    if isinstance(value, str) and "\n" in value:
        return LiteralScalarString(value)
    return value
