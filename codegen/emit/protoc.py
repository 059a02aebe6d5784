"""Compiles the `.proto` to Python with protoc, and makes two changes to the generated module."""

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

# Generated code rejects protobuf libraries older than protoc, although the library has had all the
# features that it uses since 4.21. The check would force every user to our version of protoc.
_VERSION_CHECK = re.compile(
    r"from google\.protobuf import runtime_version as _runtime_version\n"
    r"|_runtime_version\.ValidateProtobufRuntimeVersion\([^)]*\)\n"
)
# A separate pool: the official SDK registers other versions of the same names in the default pool,
# and a process may use both.
_SHARED_POOL = "_descriptor_pool.Default()"
_OWN_POOL = "_descriptor_pool.DescriptorPool()"


class CompileError(Exception):
    """protoc failed, or its output does not have the expected form."""


def compile_into(folder: Path, proto: Path = PROTO) -> None:
    """Write a package with the compiled module of `proto` and its types (`.pyi`) to `folder`.

    Raises:
        CompileError: protoc failed, or its output does not have the expected form.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _protoc(proto, f"--python_out={folder}", f"--pyi_out={folder}")
    (folder / "__init__.py").write_text(f"{HEADER}\n", encoding="utf-8")
    module = folder / f"{proto.stem}_pb2.py"
    module.write_text(f"{HEADER}\n{_patched(module.read_text('utf-8'))}", encoding="utf-8")
    types = module.with_suffix(".pyi")
    types.write_text(f"{HEADER}\n{types.read_text('utf-8')}", encoding="utf-8")


def compile_descriptor(proto: Path = PROTO) -> FileDescriptorProto:
    """Compile `proto` to a file descriptor."""
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


def _patched(text: str) -> str:
    text, checks = _VERSION_CHECK.subn("", text)
    if checks != 2 or text.count(_SHARED_POOL) != 1:
        raise CompileError("the module that protoc generated does not have the expected form")
    return text.replace(_SHARED_POOL, _OWN_POOL)
