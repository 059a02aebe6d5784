"""Reads the protobuf messages from the source text of a wheel, without executing it."""

from __future__ import annotations

import ast
from typing import TypeGuard

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from codegen.wheel.wheels import Wheel, WheelError

MODULE = "tinker.proto.tinker_public_pb2"

# The method to which the modules of protoc pass the serialized file descriptor.
REGISTRATION = "AddSerializedFile"


def descriptor_of(wheel: Wheel) -> FileDescriptorProto:
    """The file descriptor embedded in the wheel's compiled module.

    Raises:
        WheelError: the release has no such module, or protoc did not generate it.
    """
    text = wheel.modules.get(MODULE)
    if text is None:
        raise WheelError(f"tinker {wheel.release} has no module {MODULE}")
    arguments = [node.args[0] for node in ast.walk(ast.parse(text)) if _is_registration(node)]
    if len(arguments) != 1 or not isinstance(arguments[0], ast.Constant):
        raise WheelError(f"tinker {wheel.release}: {MODULE} does not register one file")
    serialized = arguments[0].value
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
    """A copy without parts that depend on the version of protoc: JSON names, source positions."""
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
