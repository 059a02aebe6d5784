"""Generates the package `tinker_api` from the specification, reproducibly on every machine.

The generator is openapi-python-client. The formatter is ruff with the options here; without
`--isolated` it would read a configuration file in a parent folder.
"""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codegen.contract.release import tolerant_contract
from codegen.documents import Json, dump_json, dump_lines, load_yaml
from codegen.emit.protoc import CompileError, compile_into
from codegen.openapi import iter_operations
from codegen.paths import GENERATOR_OPTIONS, PACKAGE_NAME, RELEASES, SPECIFICATION, TEMPLATES

if TYPE_CHECKING:
    from codegen.json_schema import Schema

HEADER = "# Do not edit. Made by `make generate` from openapi/tinker.yaml."
RUFF = (sys.executable, "-m", "ruff")
ISOLATED = (
    "--isolated",
    "--no-cache",
    "--quiet",
    "--target-version",
    "py311",
    "--line-length",
    "100",
)

# Schemas that only describe something: the client accepts their broken fields, see
# tinker_ext/types/structuring.py. In the specification, the fields keep their types.
RECORDS = (
    *("Checkpoint", "TrainingRun", "WeightsInfoResponse", "GetInfoResponse", "ModelData"),
    *("SupportedModel", "GetSessionResponse", "GetSamplerResponse", "SessionSummary"),
    *("AuditLogEntry", "BillingUsageEvent", "BillingUsageSession", "BillingUsageResponse"),
    *("CurrentCheckpointStorageUsageItem", "CurrentCheckpointStorageUsageResponse"),
    *("CheckpointArchiveUrlResponse", "ExternalWeightsUrlsResponse", "TrainingRunsResponse"),
    *("OptimStepResponse", "ForwardBackwardOutput", "UnloadModelResponse"),
)


class GenerationError(Exception):
    """The generator or the formatter failed or warned."""


def generate_package(
    folder: Path, specification: Path = SPECIFICATION, contracts: Path = RELEASES
) -> Path:
    """Generate the package in the existing, empty `folder`; return the folder of the package.

    `contracts` has the specifications of single releases, which are included as package data.
    """
    document = load_yaml(specification)
    package = folder / PACKAGE_NAME
    with tempfile.TemporaryDirectory() as scratch:
        view = Path(scratch) / "view.json"
        view.write_text(dump_json(generator_view(document)), encoding="utf-8")
        _run(
            *(sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"),
            *("--path", str(view), "--config", str(GENERATOR_OPTIONS), "--meta", "none"),
            *("--custom-template-path", str(TEMPLATES), "--output-path", str(package)),
        )
    for stray in (*package.glob(".*"), *package.glob("README*")):
        shutil.rmtree(stray) if stray.is_dir() else stray.unlink()
    shutil.copy(TEMPLATES / "received.py", package)
    for module in sorted(package.rglob("*.py")):
        module.write_text(f"{HEADER}\n{module.read_text(encoding='utf-8')}", encoding="utf-8")
    (package / "retry_table.py").write_text(_retry_table(document), encoding="utf-8")
    (package / "endpoints.py").write_text(_endpoints(package), encoding="utf-8")
    _run(*RUFF, "check", "--fix-only", "--select", "I,F401", *ISOLATED, str(package))
    _run(*RUFF, "format", *ISOLATED, str(package))
    _write_documents(package, document, contracts)
    try:
        compile_into(package / "proto")
    except CompileError as error:
        raise GenerationError(str(error)) from error
    (package / "py.typed").touch()
    return package


def _write_documents(package: Path, document: Json, contracts: Path) -> None:
    """Write the package data: the specification, and each contract with its tolerant form."""
    (package / "openapi.json").write_text(dump_lines(document), encoding="utf-8")
    for folder in ("releases", "readings"):
        (package / folder).mkdir()
    for path in sorted(contracts.glob("*.yaml")):
        contract = load_yaml(path)
        name = f"{path.stem}.json"
        (package / "releases" / name).write_text(dump_lines(contract), encoding="utf-8")
        text = dump_lines(tolerant_contract(contract, path.stem))
        (package / "readings" / name).write_text(text, encoding="utf-8")


RETRY_TABLE = f'''\
{HEADER}
"""How each operation may be retried after a failure; the reasons are in the specification.

safe       a retry has the effect of one attempt (with the same X-Idempotency-Key, if it has one)
sequenced  a retry with the same sequence number is the same request
never      a failed attempt is not retried
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Retry = Literal["safe", "sequenced", "never"]

RETRY: Mapping[str, Retry] = MappingProxyType(
    {{
%s
    }}
)
'''


ENDPOINTS = f'''\
{HEADER}
"""The modules of all operations, each imported on first use: most programs need a few."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
%s

__all__ = (
%s
)

if not TYPE_CHECKING:

    class _Endpoint(ModuleType):
        """Stands for the module of its name."""

        def __getattr__(self, name: str) -> Any:
            value = getattr(import_module(self.__name__), name)
            setattr(self, name, value)
            return value

%s
'''


def _retry_table(document: Json) -> str:
    """The module with the retry mark of each operation. A missing mark is an error."""
    marks: dict[str, str] = {}
    for operation in iter_operations(document):
        mark = operation.get("x-retry")
        if mark not in ("safe", "sequenced", "never"):
            raise GenerationError(f"{operation['operationId']}: x-retry is {mark}")
        marks[operation["operationId"]] = mark
    return RETRY_TABLE % "\n".join(f'        "{name}": "{marks[name]}",' for name in sorted(marks))


def _endpoints(package: Path) -> str:
    """The module that has every endpoint module by the operation's name."""
    modules = sorted((package / "api").glob("*/[a-z]*.py"))
    imports = [f"    from .api.{path.parent.name} import {path.stem}" for path in modules]
    names = [f'    "{path.stem}",' for path in modules]
    lazy = [
        f'    {path.stem} = _Endpoint(f"{{__package__}}.api.{path.parent.name}.{path.stem}")'
        for path in modules
    ]
    return ENDPOINTS % tuple("\n".join(lines) for lines in (imports, names, lazy))


def generator_view(document: Json) -> Json:
    """`document` without constructions for which this generator produces wrong or slow code.

    - Error responses are removed: the generator would *return* them, typed as any value, and fail
      on a body that is not JSON. The transport handles statuses and headers.
    - The response of retrieve_future is any value: the generator decodes a union as the first
      member that fits, and some members have no required field. The client distinguishes them.
    - The protobuf response of retrieve_future is removed as well.
    - Arrays of nullable numbers and arrays of arrays of numbers have items of any type: the
      generator would loop over every token.
    - The fields of `RECORDS` may be missing, null or of another type: the generator would fail at
      the first broken field of one record, and lose the list that contains it.
    """
    view = copy.deepcopy(document)
    for operation in iter_operations(view):
        responses: Json = operation["responses"]
        operation["responses"] = {
            status: responses[status] for status in responses if status[0] in "23"
        }
    success = view["paths"]["/api/v1/retrieve_future"]["post"]["responses"]["2XX"]
    success["content"] = {"application/json": {"schema": {}}}
    for schema in view["components"]["schemas"].values():
        for name, value in schema.get("properties", {}).items():
            schema["properties"][name] = _plain_arrays(_without_named_default(value))
    for name in RECORDS:
        _accept_broken_fields(view["components"]["schemas"][name])
    for parameter in view["components"]["parameters"].values():
        parameter["schema"] = _without_named_default(parameter["schema"])
    return view


def _accept_broken_fields(schema: Schema) -> None:
    """Make every field optional and nullable, and of any type if decoding could fail.

    Lists stay: without them, there is nothing to return.
    """
    properties: Schema = schema["properties"]
    lists = {name for name, value in properties.items() if _is_list(value)}
    for name in properties.keys() - lists:
        value = properties[name]
        members: list[Schema] = value.get("anyOf", [_without_texts(value)])
        others = [member for member in members if member.get("type") != "null"]
        undecoded: list[Schema] = [] if all(map(_is_plain, others)) else [{}]
        texts = {key: value[key] for key in ("description", "default") if key in value}
        properties[name] = {**texts, "anyOf": [*others, {"type": "null"}, *undecoded]}
    schema["required"] = [name for name in schema.get("required", []) if name in lists]


def _is_list(value: Schema) -> bool:
    return any(part.get("type") == "array" for part in value.get("anyOf", [value]))


def _is_plain(value: Schema) -> bool:
    scalar = value.get("type") in ("string", "integer", "number", "boolean")
    return scalar and "format" not in value


def _without_texts(value: Schema) -> Schema:
    return {key: item for key, item in value.items() if key not in ("description", "default")}


def _without_named_default(value: Schema) -> Schema:
    """This generator fails on a default beside a reference; the server applies the default."""
    return {key: item for key, item in value.items() if key != "default" or "$ref" not in value}


def _plain_arrays(value: Schema) -> Schema:
    if "anyOf" in value:
        return {**value, "anyOf": [_plain_arrays(part) for part in value["anyOf"]]}
    if value.get("type") == "array" and _is_slow(value["items"]):
        return {**value, "items": {}}
    return value


def _is_slow(items: Schema) -> bool:
    """Returns True for unions and arrays of plain numbers, which need no decoding."""
    parts: list[Schema] = items.get("anyOf", [items])
    return all(_has_no_reference(part) for part in parts) and ("anyOf" in items or "items" in items)


def _has_no_reference(value: Any) -> bool:
    return "$ref" not in json.dumps(value)


def _run(*command: str) -> None:
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        words = " ".join(command[:4])
        raise GenerationError(f"{words} failed:\n{outcome.stdout}{outcome.stderr}".rstrip())
