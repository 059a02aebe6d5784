"""Lists the models of the installed `tinker` package and the requests it sends, as JSON on stdout.

Runs in an environment with the package and its dependencies, without any code of this project:
the reader of wheels parses source text, this script imports the package, asks pydantic for the
schema of each model, and calls each function that has an API path, with a transport that records.

Usage: `python inspect_package.py`
"""

from __future__ import annotations

import ast
import asyncio
import base64
import contextlib
import dataclasses
import datetime
import enum
import functools
import importlib
import inspect
import json
import os
import pkgutil
import re
import sys
import textwrap
import threading
import types
import typing
import warnings
from typing import Any

import httpx
import pydantic
import tinker
import typing_extensions
from pydantic.json_schema import GenerateJsonSchema

SECONDS_PER_CALL = 10.0
VARIANTS = 6
"""How many arguments are tried per function: the smallest, then one per member of the unions."""

BASE_URL = "http://oracle.invalid"
PATH = re.compile(r"""["']/api/""")
KNOWN_TEXTS = {
    "checkpoint_id": "weights/0001",
    "tinker_path": "tinker://run-1/weights/0001",
    "model_path": "tinker://run-1/weights/0001",
}


# ---------------------------------------------------------------- modules


def modules() -> tuple[list[types.ModuleType], list[str]]:
    """All importable modules of the package, and a line per module that can't be imported."""
    loaded, failed = [tinker], []
    for entry in pkgutil.walk_packages(tinker.__path__, "tinker.", onerror=lambda _name: None):
        if entry.name.endswith(("_test", ".__main__")) or ".cli.commands" in entry.name:
            continue
        try:
            loaded.append(importlib.import_module(entry.name))
        except Exception as error:  # reported, and a difference of the comparison
            failed.append(f"{entry.name}: {type(error).__name__}: {error}")
    return loaded, failed


def namespaces(loaded: list[types.ModuleType]) -> list[types.ModuleType]:
    """Namespace packages such as `tinker.lib` are not walked; their modules are found by path."""
    known = {module.__name__ for module in loaded}
    root = tinker.__path__[0]
    for folder, _, files in os.walk(root):
        for file in files:
            dotted = os.path.relpath(os.path.join(folder, file), os.path.dirname(root))
            name = dotted[:-3].replace(os.sep, ".").removesuffix(".__init__")
            skipped = name.endswith(("_test", ".__main__")) or ".cli.commands" in name
            if file.endswith(".py") and name not in known and not skipped:
                try:
                    loaded.append(importlib.import_module(name))
                except Exception as error:
                    print(f"{name}: {error}", file=sys.stderr)
    return loaded


# ---------------------------------------------------------------- models


class Tolerant(GenerateJsonSchema):
    """Any value for a type that JSON schema can't express, such as an array of numpy."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:
        return {"x-unknown": error_info}


def describe(owner: type) -> dict[str, Any] | None:
    """The fields of a model, dataclass or typed dictionary; None for any other class."""
    if isinstance(owner, type) and issubclass(owner, pydantic.BaseModel):
        return describe_model(owner)
    if dataclasses.is_dataclass(owner):
        return describe_dataclass(owner)
    if typing_extensions.is_typeddict(owner):
        return describe_typed_dict(owner)
    return None


def describe_model(owner: type[pydantic.BaseModel]) -> dict[str, Any]:
    try:
        schema = owner.model_json_schema(schema_generator=Tolerant, by_alias=False)
    except Exception as error:
        schema = {"x-failed": f"{type(error).__name__}: {error}"}
    properties = schema.get("properties", {})
    fields = {}
    for name, field in owner.model_fields.items():
        fields[name] = {
            "required": field.is_required(),
            "default": default_of(field),
            "sent_as": field.serialization_alias or field.alias or name,
            "read_as": read_names(field, name),
            "schema": properties.get(name, {}),
        }
    return {
        "kind": "model",
        "extra": owner.model_config.get("extra") or "ignore",
        "fields": fields,
        "definitions": schema.get("$defs", {}),
        "serializer": bool(owner.__pydantic_decorators__.model_serializers),
    }


def read_names(field: Any, name: str) -> list[str]:
    alias = field.validation_alias
    if alias is None:
        return [field.alias or name]
    choices = getattr(alias, "choices", None)
    return [str(choice) for choice in choices] if choices else [str(alias)]


def default_of(field: Any) -> Any:
    if field.is_required():
        return None
    return plain(field.get_default(call_default_factory=True))


def plain(value: Any) -> Any:
    """`value` as JSON."""
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return (
        value if isinstance(value, str | int | float | bool | None) else f"<{type(value).__name__}>"
    )


def describe_dataclass(owner: Any) -> dict[str, Any]:
    fields = {}
    for field in dataclasses.fields(owner):
        if field.name.startswith("_"):  # a cache, not part of the value
            continue
        has_default = field.default is not dataclasses.MISSING
        has_factory = field.default_factory is not dataclasses.MISSING
        default = field.default if has_default else field.default_factory() if has_factory else None
        fields[field.name] = {
            "required": not has_default and not has_factory,
            "default": plain(default),
            "sent_as": field.name,
            "read_as": [field.name],
            "schema": {"x-unknown": str(field.type)},
        }
    return {"kind": "dataclass", "extra": "ignore", "fields": fields, "definitions": {}}


def describe_typed_dict(owner: Any) -> dict[str, Any]:
    try:
        adapter = pydantic.TypeAdapter(owner)
        schema = adapter.json_schema(schema_generator=Tolerant)
    except Exception as error:
        schema = {"x-failed": f"{type(error).__name__}: {error}"}
    fields = {}
    for name in owner.__annotations__:
        # Python does not see Required[...] in annotations that are texts; pydantic does.
        fields[name] = {
            "required": name in schema.get("required", []),
            "default": None,
            "sent_as": name,
            "read_as": [name],
            "schema": schema.get("properties", {}).get(name, {"x-unknown": "typed dictionary"}),
        }
    definitions = schema.get("$defs", {})
    return {"kind": "typed_dict", "extra": "ignore", "fields": fields, "definitions": definitions}


def models(loaded: list[types.ModuleType]) -> dict[str, dict[str, Any]]:
    """Descriptions by `module.Name`, of classes defined in the package."""
    described: dict[str, dict[str, Any]] = {}
    for module in loaded:
        for name, value in sorted(vars(module).items()):
            if isinstance(value, type) and defines(module, name):
                facts = describe(value)
                if facts is not None:
                    described[f"{module.__name__}.{name}"] = facts
    return described


def aliases(loaded: list[types.ModuleType]) -> dict[str, Any]:
    """JSON schemas of the enumerations and of the aliases of types, by `module.Name`."""
    schemas: dict[str, Any] = {}
    for module in loaded:
        if ".types" not in module.__name__:
            continue
        for name, value in sorted(vars(module).items()):
            is_enum = isinstance(value, type) and issubclass(value, enum.Enum)
            is_enum = is_enum and defines(module, name)
            is_alias = typing.get_origin(value) is not None and assigned_in(module, name)
            if name[0].isupper() and (is_enum or is_alias):
                try:
                    schema = pydantic.TypeAdapter(value).json_schema(schema_generator=Tolerant)
                except Exception as error:
                    schema = {"x-failed": f"{type(error).__name__}: {error}"}
                schemas[f"{module.__name__}.{name}"] = schema
    return schemas


def assigned_in(module: types.ModuleType, name: str) -> bool:
    return re.search(rf"^{name}\s*(:[^=\n]*)?=", source_of(module), re.MULTILINE) is not None


def defines(module: types.ModuleType, name: str) -> bool:
    """Returns True if the class `name` is defined in `module`; the package changes `__module__`."""
    return re.search(rf"^\s*class {name}\b", source_of(module), re.MULTILINE) is not None


@functools.cache
def source_of(module: types.ModuleType) -> str:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):
        return ""


# ---------------------------------------------------------------- requests


class Stand(str):
    """Stands for any object of the client: a text that has every attribute and can be called."""

    def __new__(cls, path: str) -> Stand:
        self = super().__new__(cls, path.rsplit(".", 1)[-1])
        self.path = path
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return SPECIAL.get(name) or Stand(f"{self.path}.{name}")

    def __call__(self, *_args: Any, **_kwargs: Any) -> Stand:
        return Stand(self.path)

    def __bool__(self) -> bool:
        return not self.endswith("closed")

    def __enter__(self) -> Stand:
        return self

    def __exit__(self, *_exc: object) -> None:
        return None

    async def __aenter__(self) -> Stand:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        return None

    def __await__(self) -> Any:
        async def itself() -> Stand:
            return self

        return itself().__await__()


class Recorder(httpx.AsyncBaseTransport, httpx.BaseTransport):
    """Records requests, and responds with an empty object."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.caller = ""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._record(request, request.read())
        return httpx.Response(200, json={}, request=request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._record(request, await request.aread())
        return httpx.Response(200, json={}, request=request)

    def _record(self, request: httpx.Request, body: bytes) -> None:
        self.requests.append(
            {
                "caller": self.caller,
                "method": request.method,
                "path": request.url.raw_path.split(b"?")[0].decode(),
                "query": [list(pair) for pair in request.url.params.multi_items()],
                "headers": {name.title(): value for name, value in request.headers.items()},
                "body": base64.b64encode(body).decode(),
            }
        )


class Pending:
    """Stands for a future: awaited, or waited for by code that blocks."""

    def __init__(self, coroutine: Any) -> None:
        self.coroutine = coroutine

    def __await__(self) -> Any:
        return self.coroutine.__await__()

    def result(self, timeout: float | None = None) -> Any:
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(asyncio.run(self._run())))
        thread.start()
        thread.join(timeout)
        return results[0]

    async def _run(self) -> Any:
        return await self.coroutine

    def future(self) -> Pending:
        return self


class Holder:
    """Stands for the client's holder of connections."""

    def aclient(self, *_args: Any, **_kwargs: Any) -> Any:
        return contextlib.nullcontext(CLIENT)

    async def execute_with_retries(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        return await func(*args, **kwargs)

    def run_coroutine_threadsafe(self, coroutine: Any) -> Any:
        return Pending(coroutine)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Stand(name)


STANDS: dict[str, Any] = {"InternalClientHolder": Holder, "AsyncTinker": Recorder}
"""Names that are only imported for type checkers, and the classes that mark such arguments."""

RECORDER = Recorder()
CLIENT: Any = None
HOLDER = Holder()
SPECIAL: dict[str, Any] = {
    "holder": HOLDER,
    "_holder": HOLDER,
    "_session_holder": HOLDER,
    "aclient": HOLDER.aclient,
    "execute_with_retries": HOLDER.execute_with_retries,
    "run_coroutine_threadsafe": HOLDER.run_coroutine_threadsafe,
}


def functions(loaded: list[types.ModuleType]) -> list[tuple[str, type | None, Any]]:
    """Each function and method whose source has an API path: name, class, function."""
    by_title: dict[str, tuple[str, type | None, Any]] = {}
    for module in loaded:
        owners: list[tuple[type | None, dict[str, Any]]] = [(None, dict(vars(module)))]
        owners += [
            (value, dict(vars(value)))
            for label, value in vars(module).items()
            if isinstance(value, type) and defines(module, label)
        ]
        for owner, members in owners:
            for member in members.values():
                function = inspect.unwrap(member) if callable(member) else None
                if (
                    not inspect.isfunction(function)
                    or function.__code__.co_filename != module.__file__
                ):
                    continue
                if PATH.search(code_of(function)):
                    title = f"{module.__name__}.{function.__qualname__}"
                    by_title[title] = (title, owner, function)
    return [by_title[title] for title in sorted(by_title)]


def code_of(function: Any) -> str:
    """The source of a function without its docstring."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(value=None)
    return ast.unparse(tree)


class UnbuildableError(Exception):
    """No value can be made for an annotation."""


def value_for(annotation: Any, name: str, variant: int, depth: int = 0) -> Any:
    """A value of the type `annotation`. Variant 0 is the smallest; others fill optional fields."""
    if depth > 24:
        raise UnbuildableError(f"{annotation} is nested too deeply")
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    inner = depth + 1
    if origin in (typing.Annotated, typing_extensions.Annotated):
        return value_for(arguments[0], name, variant, inner)
    if origin in (typing.Required, typing.NotRequired, typing_extensions.Required):
        return value_for(arguments[0], name, variant, inner)
    if origin in (typing.Union, types.UnionType):
        members = [item for item in arguments if item is not type(None)]
        members = [item for item in members if "NotGiven" not in str(item)] or members
        if variant == 0 and type(None) in arguments:
            return None
        return value_for(members[(variant - 1) % len(members)], name, variant, inner)
    if origin is typing.Literal:
        return arguments[(variant - 1) % len(arguments)]
    text = str(origin or annotation)
    if origin is not None and "tuple" in text.lower():
        items = [item for item in arguments if item is not Ellipsis]
        return tuple(value_for(item, name, variant, inner) for item in items)
    if origin is not None and ("dict" in text.lower() or "Mapping" in text):
        return {"key": value_for(arguments[1], name, variant, inner)}
    if origin is not None and any(word in text for word in ("list", "Sequence", "Iterable", "set")):
        return [value_for(item, name, variant, inner) for item in members_of(arguments[0], variant)]
    return simple_value(annotation, name, variant, inner)


def members_of(annotation: Any, variant: int) -> list[Any]:
    """The items of a list: one per member of a union, so that each form is sent once."""
    bare = annotation
    while typing.get_origin(bare) in (typing.Annotated, typing_extensions.Annotated):
        bare = typing.get_args(bare)[0]
    members = (
        typing.get_args(bare) if typing.get_origin(bare) in (typing.Union, types.UnionType) else ()
    )
    objects = [item for item in members if isinstance(item, type) and describe(item)]
    return objects if objects and variant else [annotation]


def simple_value(annotation: Any, name: str, variant: int, depth: int) -> Any:
    simple = {
        str: KNOWN_TEXTS.get(name, name or "text"),
        int: 1,
        float: 0.5,
        bool: True,
        bytes: b"bytes",
        dict: {"key": "text"},
        list: [1],
        Any: "any",
        object: "any",
        datetime.datetime: datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.UTC),
        datetime.date: datetime.date(2026, 1, 2),
    }
    if annotation in simple:
        return simple[annotation]
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        members = list(annotation)
        return members[(variant - 1) % len(members)]
    if typing_extensions.is_typeddict(annotation):
        hints = typing_extensions.get_type_hints(annotation, include_extras=True)
        required = [key for key, hint in hints.items() if typing.get_origin(hint) in REQUIRED]
        names = required if variant == 0 else hints
        return {key: value_for(hints[key], key, variant, depth) for key in sorted(names)}
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return model_for(annotation, variant, depth)
    if dataclasses.is_dataclass(annotation):
        return dataclass_for(annotation, variant, depth)
    if "ndarray" in str(annotation):
        import numpy

        return numpy.array([1])
    raise UnbuildableError(f"no value for {annotation}")


def model_for(owner: type[pydantic.BaseModel], variant: int, depth: int) -> Any:
    """An instance; optional fields that its validators reject together are left out one by one."""
    values: dict[str, Any] = {}
    optional: list[str] = []
    for name, field in owner.model_fields.items():
        if not field.is_required() and variant == 0:
            continue
        if not field.is_required():
            optional.append(name)
        alias = field.alias or (read_names(field, name)[0])
        try:
            values[alias] = value_for(field.annotation, name, variant, depth)
        except UnbuildableError:
            if field.is_required():
                raise
    rotated = optional[variant - 1 :] + optional[: variant - 1]
    for dropped in [None, *rotated]:
        if dropped is not None:
            values.pop(owner.model_fields[dropped].alias or dropped, None)
        try:
            return owner(**values)
        except (pydantic.ValidationError, ValueError, TypeError) as error:
            last = error
    raise UnbuildableError(f"{owner.__name__}: {str(last)[:300]}")


def dataclass_for(owner: Any, variant: int, depth: int) -> Any:
    import numpy

    special = {
        "TensorData": lambda: owner.from_numpy(numpy.array([1.5, 2.5], dtype=numpy.float32)),
        "EncodedTextChunk": lambda: owner(tokens=[1, 2]),
        "ModelInput": lambda: owner.from_ints([1, 2]),
    }
    if owner.__name__ in special:
        return special[owner.__name__]()
    hints: dict[str, Any] = {}
    for base in reversed(owner.__mro__):
        names = vars(sys.modules.get(base.__module__, typing))
        hints |= evaluated(vars(base).get("__annotations__", {}), names)
    values = {}
    for field in dataclasses.fields(owner):
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if field.init and (required or variant):
            values[field.name] = value_for(hints[field.name], field.name, variant, depth)
    return owner(**values)


REQUIRED = (typing.Required, typing_extensions.Required)

SKIPPED = {
    "extra_headers",
    "extra_query",
    "extra_body",
    "timeout",
    "max_retries",
    "idempotency_key",
}
"""Options of a call, which are not part of the operation."""


def arguments_for(function: Any, variant: int) -> tuple[list[Any], dict[str, Any]]:
    positional: list[Any] = []
    named: dict[str, Any] = {}
    hints = hints_of(function)
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self" or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        has_default = parameter.default is not inspect.Parameter.empty
        if has_default and (variant == 0 or name in SKIPPED or name.startswith("extra_headers")):
            continue
        hint = hints.get(name, str)
        if "NotGiven" in str(hint):
            members = [item for item in typing.get_args(hint) if "NotGiven" not in str(item)]
            hint = members[0] if members else hint
        if hint is Holder:
            value: Any = HOLDER
        elif hint is Recorder:
            value = CLIENT
        else:
            value = value_for(
                hint, name, max(variant, 1) if not has_default and variant else variant
            )
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = value
        else:
            positional.append(value)
    return positional, named


def hints_of(function: Any) -> dict[str, Any]:
    return evaluated(function.__annotations__, function.__globals__)


def evaluated(annotations: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """The annotations as types. Names that are imported for type checkers only are looked up."""
    namespace = dict(vars(typing)) | vars(tinker.types) | STANDS | names
    hints = {}
    for name, annotation in annotations.items():
        try:
            hints[name] = eval(annotation, namespace) if isinstance(annotation, str) else annotation
        except Exception:
            hints[name] = str
    return hints


async def call(owner: type | None, function: Any, variant: int) -> None:
    """Call `function`, of a resource on a real client, of any other class on a stand-in."""
    positional, named = arguments_for(function, variant)
    first: list[Any] = []
    if owner is not None:
        first = [instance_of(owner)]
    result = function(*first, *positional, **named)
    for _ in range(3):
        if inspect.isawaitable(result):
            result = await result


def instance_of(owner: type) -> Any:
    if ".resources" in owner.__module__:
        return owner(CLIENT if "Async" in owner.__name__ else sync_client())
    if owner.__module__.endswith("auth_api"):
        return owner(httpx.Client(transport=RECORDER), base_url=BASE_URL)
    return Stand(owner.__name__)


async def record(loaded: list[types.ModuleType]) -> tuple[list[dict[str, Any]], list[str]]:
    """The requests of all functions with an API path, and a line per function without requests."""
    global CLIENT
    CLIENT = tinker_client()
    silent: list[str] = []
    for title, owner, function in functions(loaded):
        before, reasons = len(RECORDER.requests), []
        RECORDER.caller = title
        for variant in range(VARIANTS):
            try:
                await asyncio.wait_for(call(owner, function, variant), SECONDS_PER_CALL)
            except Exception as error:
                reasons.append(f"{type(error).__name__}: {str(error)[:200]}")
        if len(RECORDER.requests) == before:
            silent.append(f"{title}: {reasons[0] if reasons else 'no request'}")
    return RECORDER.requests, silent


def tinker_client() -> Any:
    try:
        from tinker._client import AsyncTinker
    except ImportError:
        from tinker import AsyncTinker
    client = httpx.AsyncClient(transport=RECORDER, base_url=BASE_URL)
    return AsyncTinker(api_key="tml-oracle", base_url=BASE_URL, max_retries=0, http_client=client)


def sync_client() -> Any:
    """A client that blocks, which only the first releases have."""
    client = httpx.Client(transport=RECORDER, base_url=BASE_URL)
    options = {"base_url": BASE_URL, "max_retries": 0, "http_client": client}
    return importlib.import_module("tinker._client").Tinker(api_key="tml-oracle", **options)


def main() -> None:
    warnings.simplefilter("ignore")
    loaded, failed = modules()
    loaded = namespaces(loaded)
    requests, silent = asyncio.run(record(loaded))
    report = {
        "release": tinker.__version__,
        "failed": failed,
        "models": models(loaded),
        "aliases": aliases(loaded),
        "requests": requests,
        "silent": silent,
    }
    json.dump(report, sys.stdout)
    sys.stdout.flush()
    if threading.active_count() > 1:
        os._exit(0)


if __name__ == "__main__":
    main()
