"""The order of the steps from a wheel to the files in `openapi/`, and the lock of what went in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import distribution, version
from typing import TYPE_CHECKING, Any

from .changelog import changelog
from .documents import Json, dump_yaml, load_yaml, sha256
from .evidence import evidence
from .locations import (
    CHANGELOG,
    EVIDENCE,
    GENERATOR_OPTIONS,
    LOCK,
    OPENAPI,
    OVERLAY,
    RELEASES,
    SPECIFICATION,
    TEMPLATES,
    TRAFFIC,
)
from .overlay import Effects, apply_checked, apply_overlay, check_effects
from .reading import tolerant
from .reconstruct import reconstruct
from .union import in_release_order, union
from .wheels import Wheel, open_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CONTRACT_HEADER = """\
Do not edit. Made by `make spec RELEASE={release}` from the wheel of that release and the overlay.
The strict contract of this one release."""

TRIAL_HEADER = """\
Read on trial and not kept: nobody has looked over what the overlay does to this release."""

UNION_HEADER = """\
Do not edit. Made by `make spec` from the contracts in releases/ and the overlay. The union of
releases {releases}: requests as narrow as all of them
allow, answers as wide as servers in the wild need (the rules: scripts/specification/merging.py and
reading.py). x-since and x-until name the first and the last of these releases that has a thing;
x-conflict says how contradictions between them are settled. The bindings are made from this."""


class ReconstructionError(Exception):
    """Something in a wheel could not be read, and the overlay has no word for it."""


@dataclass(frozen=True)
class Contract:
    """The strict contract of one release.

    Attributes:
        document: the wheel's facts with the overlay's.
        effects: what each action of the overlay did to it.
        gaps: what could not be read; none in a release that is kept.
    """

    release: str
    document: Json
    effects: Effects
    gaps: tuple[str, ...]


@dataclass(frozen=True)
class Made:
    """What the files in `openapi/` are made of, by path.

    Attributes:
        documents: the specifications, of each release and of all.
        texts: every file that is made, the specifications too.
    """

    documents: dict[Path, Json]
    texts: dict[Path, str]


def contract(wheel: Wheel) -> Contract:
    """Read `wheel` and apply the overlay. Gaps are listed, and marked where they are."""
    document = reconstruct(wheel)
    gaps = list(document.pop("x-problems", []))
    headers = document.pop("x-headers-in-wheel", [])
    overlay = load_yaml(OVERLAY)
    document, effects = apply_overlay(document, overlay, release=wheel.release, form="contract")
    text = json.dumps(document)
    gaps += [f"the header {name} has no place" for name in headers if f'"{name}"' not in text]
    document = in_order(drop_unused(document))
    if gaps:
        document["x-unread"] = gaps
    return Contract(wheel.release, document, effects, tuple(gaps))


def contracts(releases: Iterable[str]) -> dict[str, Contract]:
    """The contracts of `releases`, which may have no gaps and must use the whole overlay.

    Raises ReconstructionError with the list of what is missing, OverlayError for an idle action.
    """
    made = {release: contract(locked_wheel(release)) for release in in_release_order(releases)}
    for release, one in made.items():
        refuse_gaps(release, one.gaps)
    check_effects(load_yaml(OVERLAY), {release: one.effects for release, one in made.items()})
    return made


def refuse_gaps(release: str, gaps: tuple[str, ...]) -> None:
    if gaps:
        raise ReconstructionError(
            "\n".join([f"tinker {release} has what the reader does not know:", *gaps])
        )


def reading(made: dict[str, Contract]) -> Json:
    """The tolerant reading of the union of contracts."""
    both = union({release: one.document for release, one in made.items()})
    newest = in_release_order(made)[-1]
    both = apply_checked(both, load_yaml(OVERLAY), release=newest, form="tolerant")
    return in_order(tolerant(both))


def reading_of_one(contract: Json, release: str) -> Json:
    """The tolerant reading of one contract, for who speaks the protocol of that release only."""
    document, _ = apply_overlay(contract, load_yaml(OVERLAY), release=release, form="tolerant")
    return in_order(tolerant(document))


def everything(releases: Iterable[str]) -> Made:
    """All that is made: contracts, their union, reports on both."""
    found = contracts(releases)
    documents = {RELEASES / f"{release}.yaml": one.document for release, one in found.items()}
    headers = {
        RELEASES / f"{release}.yaml": CONTRACT_HEADER.format(release=release) for release in found
    }
    documents[SPECIFICATION] = reading(found)
    headers[SPECIFICATION] = UNION_HEADER.format(releases=", ".join(found))
    texts = {path: dump_yaml(one, header=headers[path]) for path, one in documents.items()}
    traffic = json.loads(TRAFFIC.read_text(encoding="utf-8")) if TRAFFIC.exists() else None
    texts[EVIDENCE] = evidence(documents[SPECIFICATION], load_yaml(OVERLAY), traffic)
    texts[CHANGELOG] = changelog({release: one.document for release, one in found.items()})
    return Made(documents, texts)


def kept_releases() -> list[str]:
    """The releases whose contracts are in `openapi/releases/`, oldest first."""
    return in_release_order(path.stem for path in RELEASES.glob("*.yaml"))


def undescribed(document: Json) -> list[str]:
    """Operations, types, fields and parameters the overlay has no text for."""
    found = [
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if "summary" not in operation or "x-retry" not in operation
    ]
    for name, schema in document["components"]["schemas"].items():
        found += [name] if not schema.get("description") else []
        found += [
            f"{name}.{field}"
            for field, value in schema.get("properties", {}).items()
            if field != "type" and not value.get("description")
        ]
    parameters = document["components"]["parameters"]
    return found + [name for name, item in parameters.items() if not item.get("description")]


def drop_unused(document: Json) -> Json:
    """`document` without the shared parameters and answers no operation of this release has."""
    text = json.dumps(document["paths"])
    for part in ("parameters", "responses"):
        document["components"][part] = {
            name: item
            for name, item in document["components"][part].items()
            if f'#/components/{part}/{name}"' in text
        }
    return document


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


def lock_files(made: Iterable[Path]) -> None:
    """Remember the hashes of the files in `openapi/` that were made or went in, and the tools."""
    lock = read_lock()
    templates = (path for path in TEMPLATES.rglob("*") if path.is_file())
    paths = {*made, OVERLAY, GENERATOR_OPTIONS, *templates}
    lock["files"] = {str(path.relative_to(OPENAPI)): sha256(path.read_bytes()) for path in paths}
    lock["tools"] = tool_versions()
    _write(lock)


TOOLS = ("oas_patch", "openapi-python-client", "ruamel.yaml", "ruff")
"""What reads the overlay, the generator of the bindings, what writes YAML, and the formatter."""


def tool_versions() -> dict[str, str]:
    """Version and hash of each tool, such as `0.29.1 sha256:...`.

    The hash is that of the tool's Python code as it was installed, so the same on every platform; a
    tool that is a program of another language, such as the formatter, has its version for a hash.
    """
    return {name: f"{version(name)}{_code_hash(name)}" for name in TOOLS}


def _code_hash(name: str) -> str:
    files = [file for file in distribution(name).files or [] if file.hash is not None]
    code = sorted(
        f"{file} {file.hash.value}"
        for file in files
        if file.hash is not None and file.suffix in (".py", ".jinja") and ".." not in file.parts
    )
    compiled = any(file.suffix in (".so", "") and "bin" in file.parts for file in files)
    return "" if compiled and len(code) < 10 else f" sha256:{sha256(chr(10).join(code).encode())}"


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
