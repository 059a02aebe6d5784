"""The messages as the official wheel has them, read out of its text; none of it is executed."""

from __future__ import annotations

import ast
from typing import TypeGuard

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from codegen.wheel.wheels import Wheel, WheelError

MODULE = "tinker.proto.tinker_public_pb2"

# What protoc hands a file's descriptor to, as bytes, in the modules it writes.
REGISTRATION = "AddSerializedFile"


def descriptor_of(wheel: Wheel) -> FileDescriptorProto:
    """The file descriptor embedded in the wheel's compiled module.

    Raises:
        WheelError: the release has no such module, or it is not made the way protoc makes it.
    """
    text = wheel.modules.get(MODULE)
    if text is None:
        raise WheelError(f"tinker {wheel.release} has no module {MODULE}")
    found = [node.args[0] for node in ast.walk(ast.parse(text)) if _is_registration(node)]
    if len(found) != 1 or not isinstance(found[0], ast.Constant):
        raise WheelError(f"tinker {wheel.release}: {MODULE} does not register one file")
    serialized = found[0].value
    if not isinstance(serialized, bytes):
        raise WheelError(f"tinker {wheel.release}: {MODULE} does not register bytes")
    return FileDescriptorProto.FromString(serialized)


def _is_registration(node: ast.AST) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == REGISTRATION
        and len(node.args) == 1
    )


def normalized(file: FileDescriptorProto) -> FileDescriptorProto:
    """A copy without what depends on the protoc that made it: JSON names and positions of text."""
    copy = FileDescriptorProto()
    copy.CopyFrom(file)
    copy.ClearField("source_code_info")
    for message in copy.message_type:
        _drop_json_names(message)
    return copy


def _drop_json_names(message: DescriptorProto) -> None:
    for field in message.field:
        field.ClearField("json_name")
    for nested in message.nested_type:
        _drop_json_names(nested)
