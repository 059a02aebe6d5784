"""The order of the steps from a wheel to the files in `openapi/`, and the lock of what went in."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from .documents import Json, dump_yaml, load_yaml, sha256
from .locations import LOCK, OPENAPI, OVERLAY
from .overlay import apply_overlay
from .reading import tolerant
from .reconstruct import reconstruct
from .wheels import Wheel, open_wheel

if TYPE_CHECKING:
    from pathlib import Path

CURRENT_RELEASE = "0.4.1"
"""The release `openapi/tinker.yaml` is made from."""

CONTRACT_HEADER = """\
Do not edit. Made by `make spec RELEASE={release}` from the wheel of that release and the overlay.
The strict contract of this one release."""

READING_HEADER = """\
Do not edit. Made by `make spec RELEASE={release}` from the wheel of that release and the overlay.
Requests as strict as release {release} sends them; answers as tolerant as servers in the wild need
(the rules are in scripts/specification/reading.py). The bindings are made from this file."""


class ReconstructionError(Exception):
    """Something in a wheel could not be read, and the overlay has no word for it."""


def contract(wheel: Wheel) -> Json:
    """The strict contract of one release: the wheel's facts with the overlay's.

    Raises ReconstructionError with the list of what is missing, rather than leaving a gap.
    """
    document = reconstruct(wheel)
    problems = document.pop("x-problems", [])
    if problems:
        raise ReconstructionError(
            "\n".join([f"tinker {wheel.release} has what the reader does not know:", *problems])
        )
    document = apply_overlay(document, load_yaml(OVERLAY), release=wheel.release, form="contract")
    return in_order(document)


def reading(strict: Json, release: str) -> Json:
    """The tolerant reading of the contract of `release`."""
    document = apply_overlay(strict, load_yaml(OVERLAY), release=release, form="tolerant")
    return in_order(tolerant(document))


def contract_text(wheel: Wheel) -> str:
    return dump_yaml(contract(wheel), header=CONTRACT_HEADER.format(release=wheel.release))


def reading_text(wheel: Wheel) -> str:
    document = reading(contract(wheel), wheel.release)
    return dump_yaml(document, header=READING_HEADER.format(release=wheel.release))


def locked_wheel(release: str) -> Wheel:
    """The wheel of `release`, with the hash the lock has for it, if it has one."""
    return open_wheel(release, expected_sha256=read_lock()["wheels"].get(release))


def read_lock() -> dict[str, Any]:
    if not LOCK.exists():
        return {"wheels": {}, "files": {}, "tools": {}}
    lock: dict[str, Any] = json.loads(LOCK.read_text(encoding="utf-8"))
    return lock


def lock_wheel(wheel: Wheel) -> None:
    """Remember the hash of a wheel seen for the first time."""
    lock = read_lock()
    lock["wheels"][wheel.release] = wheel.sha256
    _write(lock)


def lock_files(paths: list[Path]) -> None:
    """Remember the hashes of files in `openapi/`, and the versions of the tools."""
    lock = read_lock()
    lock["files"].update(
        {str(path.relative_to(OPENAPI)): sha256(path.read_bytes()) for path in paths}
    )
    lock["tools"] = tool_versions()
    _write(lock)


def tool_versions() -> dict[str, str]:
    names = ("oas_patch", "openapi-python-client", "ruamel.yaml", "ruff")
    return {name: version(name) for name in names}


def _write(lock: dict[str, Any]) -> None:
    ordered = {key: dict(sorted(lock[key].items())) for key in ("wheels", "tools", "files")}
    LOCK.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")


def in_order(document: Json) -> Json:
    """`document` with its parts in the order a reader expects."""
    order = ("openapi", "info", "servers", "security", "tags", "paths", "components")
    first = {key: document[key] for key in order if key in document}
    rest = {key: value for key, value in document.items() if key not in first}
    first["paths"] = {
        path: {method: _operation(item) for method, item in methods.items()}
        for path, methods in document["paths"].items()
    }
    components: Json = first["components"]
    last = {key: components.pop(key) for key in ("schemas",)}
    first["components"] = {**dict(sorted(components.items())), **last}
    schemas = first["components"]["schemas"]
    first["components"]["schemas"] = {name: _schema(schemas[name]) for name in sorted(schemas)}
    return {**first, **rest}


OPERATION_ORDER = (
    "operationId",
    "tags",
    "summary",
    "description",
    "parameters",
    "requestBody",
    "responses",
)
SCHEMA_ORDER = (
    "description",
    "type",
    "anyOf",
    "enum",
    "properties",
    "required",
    "additionalProperties",
)


def _operation(item: Json) -> Json:
    given = {key: value for key, value in item.items() if key != "parameters" or value}
    answers = dict(sorted(given["responses"].items()))
    return _sorted_first({**given, "responses": answers}, OPERATION_ORDER)


def _schema(item: Json) -> Json:
    return _sorted_first(item, SCHEMA_ORDER)


def _sorted_first(item: Json, order: tuple[str, ...]) -> Json:
    first = {key: item[key] for key in order if key in item}
    return {**first, **{key: value for key, value in item.items() if key not in first}}
