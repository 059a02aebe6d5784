"""From the `.proto` to Python: protoc, and two changes to what it writes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from codegen.paths import OPENAPI

if TYPE_CHECKING:
    from collections.abc import Sequence

PROTO = OPENAPI / "tinker_public.proto"
HEADER = "# Do not edit. Made by `make generate` from openapi/tinker_public.proto."

# The release of protoc refuses libraries older than itself, though what it writes uses only what
# the library has had since 4.21. Left in, every user would be held to our protoc's version.
_VERSION_CHECK = re.compile(
    r"from google\.protobuf import runtime_version as _runtime_version\n"
    r"|_runtime_version\.ValidateProtobufRuntimeVersion\([^)]*\)\n"
)
# A pool of its own: the official SDK registers other versions of the same names in the default
# one, and a process may have both.
_SHARED_POOL = "_descriptor_pool.Default()"
_OWN_POOL = "_descriptor_pool.DescriptorPool()"


class CompileError(Exception):
    """protoc refused, or wrote something else than this knows how to change."""


def compile_into(folder: Path, proto: Path = PROTO) -> None:
    """Make `folder` a package with the compiled module of `proto` and its types (`.pyi`).

    Raises:
        CompileError: see there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _protoc(proto, f"--python_out={folder}", f"--pyi_out={folder}")
    (folder / "__init__.py").write_text(f"{HEADER}\n", encoding="utf-8")
    module = folder / f"{proto.stem}_pb2.py"
    module.write_text(f"{HEADER}\n{_changed(module.read_text('utf-8'))}", encoding="utf-8")
    types = module.with_suffix(".pyi")
    types.write_text(f"{HEADER}\n{types.read_text('utf-8')}", encoding="utf-8")


def described(proto: Path = PROTO) -> FileDescriptorProto:
    """The descriptor that protoc gives for `proto`."""
    with TemporaryDirectory() as scratch:
        output = Path(scratch) / "set"
        _protoc(proto, f"--descriptor_set_out={output}")
        (file,) = FileDescriptorSet.FromString(output.read_bytes()).file
        return file


def _protoc(proto: Path, *options: str) -> None:
    command: Sequence[str] = (
        *(sys.executable, "-m", "grpc_tools.protoc"),
        *(f"--proto_path={proto.parent}", *options, proto.name),
    )
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        raise CompileError(f"protoc failed:\n{outcome.stdout}{outcome.stderr}".rstrip())


def _changed(text: str) -> str:
    text, checks = _VERSION_CHECK.subn("", text)
    if checks != 2 or text.count(_SHARED_POOL) != 1:
        raise CompileError("protoc wrote another kind of module than the one known here")
    return text.replace(_SHARED_POOL, _OWN_POOL)
