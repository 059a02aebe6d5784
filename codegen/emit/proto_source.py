"""Renders a file descriptor as the text of a `.proto` that compiles to the same descriptor."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FieldDescriptorProto

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.protobuf.descriptor_pb2 import (
        DescriptorProto,
        EnumDescriptorProto,
        FileDescriptorProto,
    )

WIDTH = 96
INDENT = "  "


class RenderError(ValueError):
    """The descriptor has an unsupported element, or a comment names a missing element."""


def render(file: FileDescriptorProto, *, header: str, comments: Mapping[str, str]) -> str:
    """Render the text. Keys of `comments`: `Message`, `Message.field`, `Enum` or `Enum.VALUE`.

    Raises:
        RenderError: there are extensions, services, imports, options, or unused comments.
    """
    writer = _Writer(file.package, dict(comments))
    blocks = [
        "\n".join(f"// {line}".rstrip() for line in header.splitlines()),
        f'syntax = "{file.syntax}";\n\npackage {file.package};',
        *("\n".join(writer.message(message, "")) for message in file.message_type),
        *("\n".join(writer.enum(enum, "")) for enum in file.enum_type),
    ]
    if file.syntax != "proto3" or file.extension or file.service or file.dependency:
        raise RenderError("only messages and enums of a proto3 file without imports are supported")
    if writer.comments:
        unused = ", ".join(sorted(writer.comments))
        raise RenderError(f"comments for elements that the file does not have: {unused}")
    return "\n\n".join(blocks) + "\n"


class _Writer:
    def __init__(self, package: str, comments: dict[str, str]) -> None:
        self._prefix = f".{package}."
        self.comments = comments

    def message(self, message: DescriptorProto, scope: str) -> Iterator[str]:
        """The lines of a message, with its nested messages and enums before its fields."""
        if message.extension or message.reserved_range or message.reserved_name:
            raise RenderError(f"{message.name}: extensions and reserved names are not supported")
        name = f"{scope}{message.name}"
        yield from self._comment(name)
        yield f"message {message.name} {{"
        maps = {nested.name: nested for nested in message.nested_type if nested.options.map_entry}
        for nested in message.nested_type:
            if nested.name not in maps:
                yield from _indented(self.message(nested, f"{name}."))
        for enum in message.enum_type:
            yield from _indented(self.enum(enum, f"{name}."))
        yield from _indented(self._fields(message, maps, name))
        yield "}"

    def enum(self, enum: EnumDescriptorProto, scope: str) -> Iterator[str]:
        name = f"{scope}{enum.name}"
        yield from self._comment(name)
        yield f"enum {enum.name} {{"
        for value in enum.value:
            yield from _indented(self._comment(f"{name}.{value.name}"))
            yield f"{INDENT}{value.name} = {value.number};"
        yield "}"

    def _fields(
        self, message: DescriptorProto, maps: Mapping[str, DescriptorProto], name: str
    ) -> Iterator[str]:
        """The fields; those of a oneof are grouped at the place of the first."""
        written: set[int] = set()
        for field in message.field:
            if not field.HasField("oneof_index") or field.proto3_optional:
                yield from self._field(field, maps, name)
            elif field.oneof_index not in written:
                written.add(field.oneof_index)
                choice = message.oneof_decl[field.oneof_index].name
                yield from self._comment(f"{name}.{choice}")
                yield f"oneof {choice} {{"
                for member in message.field:
                    if member.HasField("oneof_index") and member.oneof_index == field.oneof_index:
                        yield from _indented(self._field(member, maps, name))
                yield "}"

    def _field(
        self, field: FieldDescriptorProto, maps: Mapping[str, DescriptorProto], name: str
    ) -> Iterator[str]:
        if field.HasField("options"):
            raise RenderError(f"{name}.{field.name}: options are not supported")
        yield from self._comment(f"{name}.{field.name}")
        entry = maps.get(field.type_name.rpartition(".")[2])
        repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
        if entry is not None:
            key, value = (self._type(part) for part in entry.field)
            kind = f"map<{key}, {value}>"
        elif repeated:
            kind = f"repeated {self._type(field)}"
        else:
            kind = f"{'optional ' if field.proto3_optional else ''}{self._type(field)}"
        yield f"{kind} {field.name} = {field.number};"

    def _type(self, field: FieldDescriptorProto) -> str:
        if field.type_name:
            return field.type_name.removeprefix(self._prefix)
        return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()

    def _comment(self, name: str) -> Iterator[str]:
        text = self.comments.pop(name, "")
        yield from (f"// {line}" for line in textwrap.wrap(text, WIDTH))


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"{INDENT}{line}" for line in lines)
