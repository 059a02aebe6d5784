"""`tinker_public.proto` matches the descriptor in the official wheels, and compiles to Python."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from codegen.commands import protobuf
from codegen.emit.proto_source import RenderError, render
from codegen.emit.protoc import PROTO, compile_descriptor, compile_into
from codegen.lock import locked_wheel
from codegen.wheel.descriptor import descriptor_of, normalized
from codegen.wheel.wheels import Wheel, WheelError


@pytest.fixture(scope="module")
def official() -> FileDescriptorProto:
    return descriptor_of(locked_wheel(protobuf.RELEASE))


def test_proto_file_is_up_to_date() -> None:
    assert PROTO.read_text(encoding="utf-8") == protobuf.proto_text()


def test_compiled_proto_equals_descriptor_of_the_wheel(official: FileDescriptorProto) -> None:
    ours = normalized(compile_descriptor())
    assert ours.SerializeToString(deterministic=True) == normalized(official).SerializeToString(
        deterministic=True
    )


def test_wheel_has_every_message_and_enum(official: FileDescriptorProto) -> None:
    assert len(official.message_type) == 23
    assert len(official.enum_type) == 2


def test_compiled_module_round_trips_a_message(tmp_path: Path) -> None:
    messages = _compiled(tmp_path)
    request = messages.ForwardBackwardRequest(model_id="m", seq_id=1, forward_only=True)
    datum = request.data.add()
    datum.model_input.add().encoded_text.tokens = b"\x01\x00\x00\x00"
    datum.loss_fn_inputs["weights"].dtype = messages.DTYPE_FLOAT32
    request.loss_fn_config_v2["epsilon"].number = 0.2
    again = messages.ForwardBackwardRequest.FromString(request.SerializeToString())
    assert again == request
    assert again.data[0].model_input[0].WhichOneof("chunk") == "encoded_text"


def test_compiled_module_coexists_with_the_official_one(
    tmp_path: Path, official: FileDescriptorProto
) -> None:
    """In one process, the official module registers its names in the default pool."""
    compile_into(tmp_path / "ours")
    other = FileDescriptorProto()
    other.CopyFrom(official)
    other.message_type[0].field[0].name = "renamed"
    code = (
        "from google.protobuf import descriptor_pool\n"
        f"descriptor_pool.Default().AddSerializedFile({other.SerializeToString()!r})\n"
        "from ours import tinker_public_pb2\n"
        "print(len(tinker_public_pb2.SampleResponse(sequences=[{}]).sequences))\n"
    )
    outcome = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (outcome.stdout, outcome.stderr) == ("1\n", "")


def test_wheel_without_messages_raises() -> None:
    with pytest.raises(WheelError, match="no module"):
        descriptor_of(Wheel("0", "", {}, frozenset()))


def test_module_of_the_wheel_is_not_executed() -> None:
    module = "raise SystemExit\nAddSerializedFile(b'')\npool.AddSerializedFile(b'\\n\\x01x')\n"
    wheel = Wheel("0", "", {"tinker.proto.tinker_public_pb2": module}, frozenset())
    assert descriptor_of(wheel).name == "x"


def test_comment_for_missing_element_raises(official: FileDescriptorProto) -> None:
    with pytest.raises(RenderError, match=r"Datum\.nothing"):
        render(official, header="", comments={"Datum.nothing": "?"})


def test_unsupported_option_raises(official: FileDescriptorProto) -> None:
    other = FileDescriptorProto()
    other.CopyFrom(official)
    other.message_type[0].field[0].options.deprecated = True
    with pytest.raises(RenderError, match=r"SampleResponse\.sequences"):
        render(other, header="", comments={})


@pytest.mark.slow
@pytest.mark.parametrize("release", ["0.24.1", "0.25.0"])
def test_older_messages_are_included(release: str, official: FileDescriptorProto) -> None:
    """Compares numbers and types, which are sent; one message and one field were renamed."""
    newer = {message.name: message for message in official.message_type}
    for message in descriptor_of(locked_wheel(release)).message_type:
        name = {"TopkPromptLogprobs": "TopkLogprobs"}.get(message.name, message.name)
        assert set(_on_the_wire(message)) <= set(_on_the_wire(newer[name])), message.name


def _on_the_wire(message: DescriptorProto) -> Iterator[tuple[int, int, int]]:
    fields: list[FieldDescriptorProto] = list(message.field)
    yield from ((field.number, field.type, field.label) for field in fields)


def _compiled(folder: Path) -> Any:
    compile_into(folder)
    spec = spec_from_file_location("compiled", folder / "tinker_public_pb2.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
