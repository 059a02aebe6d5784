"""Reads and writes documents in one canonical form, so that files can be compared byte for byte."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import textwrap
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import FoldedScalarString, LiteralScalarString

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]

LINE_WIDTH = 100
FOLD_WIDTH = 80


def load_yaml(path: Path) -> Json:
    """Load the document at `path` as plain dictionaries and lists, which the caller may modify."""
    document: Json = pickle.loads(_parsed(path.read_text(encoding="utf-8")))
    return document


def load_json(path: Path) -> Json:
    """Load the JSON document at `path`."""
    document: Json = json.loads(path.read_text(encoding="utf-8"))
    return document


@cache
def _parsed(text: str) -> bytes:
    """Parse YAML and pickle the result: parsing a release takes a second, unpickling is fast."""
    return pickle.dumps(YAML(typ="safe", pure=True).load(text))


def dump_yaml(document: Json, *, header: str = "") -> str:
    """Write `document` as YAML: key order kept, no anchors, `header` as leading comment lines."""
    yaml = YAML()
    yaml.width = 10 * LINE_WIDTH  # long texts are folded below, names are not split
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.ignore_aliases = lambda _data: True
    stream = io.StringIO()
    yaml.dump(_block_strings(document), stream)
    comment = "".join(f"# {line}\n" for line in header.splitlines())
    return comment + stream.getvalue()


def dump_json(document: Json) -> str:
    """Write `document` as JSON with two spaces of indentation and a final newline."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def dump_lines(document: Json) -> str:
    """Write `document` as compact JSON, with one line per path, type and other named part."""
    return _lines(document, depth=3) + "\n"


def _lines(value: Any, depth: int) -> str:
    """`value` as JSON; objects are written over several lines down to `depth` levels."""
    if not isinstance(value, dict) or not value or depth == 0:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    entries = (
        f"{json.dumps(key, ensure_ascii=False)}:{_lines(item, depth - 1)}"
        for key, item in value.items()
    )
    return "{\n" + ",\n".join(entries) + "\n}"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _block_strings(value: Any) -> Any:
    """Mark long texts as folded YAML blocks, and texts of several lines as literal ones."""
    if isinstance(value, dict):
        return {key: _block_strings(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_block_strings(item) for item in value]
    if isinstance(value, str) and "\n" in value:
        return LiteralScalarString(value)
    if isinstance(value, str) and len(value) > FOLD_WIDTH and " " in value:
        return _folded(value)
    return value


def _folded(text: str) -> FoldedScalarString:
    """`text` as a folded block. The emitter needs the positions of the line ends."""
    folded: FoldedScalarString = FoldedScalarString(text)
    ends = list(accumulate(len(line) + 1 for line in textwrap.wrap(text, FOLD_WIDTH)))
    folded.fold_pos = [end - 1 for end in ends[:-1]]  # type: ignore[attr-defined]  # untyped there
    return folded
