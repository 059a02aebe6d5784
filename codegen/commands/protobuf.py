"""The protobuf side of the API: `python scripts/protobuf.py rebuild | check | compile FOLDER`.

`rebuild` writes `openapi/tinker_public.proto` from the descriptor in the official wheel and the
comments of `openapi/protobuf.yaml`; `check` fails if the file is not what these give; `compile`
makes Python of it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from codegen.documents import load_yaml
from codegen.emit.proto_source import RenderError, render
from codegen.emit.protoc import PROTO, CompileError, compile_into
from codegen.lock import locked_wheel
from codegen.paths import OPENAPI, ROOT
from codegen.wheel.descriptor import descriptor_of
from codegen.wheel.wheels import WheelError

# The newest release looked at. Its messages contain those of every release before it.
RELEASE = "0.38.0"
COMMENTS = OPENAPI / "protobuf.yaml"
HEADER = f"""\
Do not edit. Made by `make spec` from the descriptor in the wheel of tinker {RELEASE} and the
comments in openapi/protobuf.yaml.

Bodies and results of content type application/x-protobuf. Numbers that are many travel as bytes:
arrays of little-endian values in row-major order, without any framing."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("rebuild")
    commands.add_parser("check")
    commands.add_parser("compile").add_argument("folder", type=Path)
    options = parser.parse_args()
    try:
        if options.command == "compile":
            compile_into(options.folder)
            return 0
        text = proto_text()
    except (WheelError, RenderError, CompileError) as problem:
        print(problem, file=sys.stderr)
        return 1
    if options.command == "rebuild":
        PROTO.write_text(text, encoding="utf-8")
        print(PROTO.relative_to(ROOT))
        return 0
    if not PROTO.is_file() or PROTO.read_text(encoding="utf-8") != text:
        print(f"{PROTO.relative_to(ROOT)} is not what its sources give: run `make spec`")
        return 1
    return 0


def proto_text() -> str:
    """What `openapi/tinker_public.proto` has to contain."""
    comments = load_yaml(COMMENTS)
    return render(descriptor_of(locked_wheel(RELEASE)), header=HEADER, comments=comments)
