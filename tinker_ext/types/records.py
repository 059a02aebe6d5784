"""`Record`: the base class of all types, with the methods that users of the official SDK know.

In the official SDK some types are dataclasses and others are pydantic models; which ones differs
between releases. Here all are frozen attrs classes, and each also works with the functions of
`dataclasses` and has the methods of pydantic models. pydantic itself is not needed, except by
`model_json_schema`, and by a pydantic model of the user that has such a type as a field.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping, Set
from datetime import UTC, datetime
from functools import cache
from types import NoneType, SimpleNamespace, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    Self,
    TypeAlias,
    TypeGuard,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs

from tinker_ext.errors import InvalidInputError

if TYPE_CHECKING:
    import dataclasses

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

#: Names of fields, as a set, or as a mapping to the names within nested values.
Selection: TypeAlias = Set[str] | Set[int] | Mapping[Any, Any]

T = TypeVar("T")

_DUMP = "dump"


def dumped_by(dump: Callable[[Any], Any]) -> dict[str, Callable[[Any], Any]]:
    """Field metadata that makes `model_dump` call `dump` on the value."""
    return {_DUMP: dump}


class _DataclassFields:
    """`__dataclass_fields__`, which makes `dataclasses` accept a class; created on first use."""

    def __get__(self, instance: object, owner: type) -> dict[str, dataclasses.Field[Any]]:
        if not attrs.has(owner):
            raise AttributeError("__dataclass_fields__")
        return _dataclass_fields(owner)


class _ModelFields:
    """`model_fields`: the fields by their public names."""

    def __get__(self, instance: object, owner: type) -> dict[str, attrs.Attribute[Any]]:
        if not attrs.has(owner):  # `Record` itself, which `help` reads as a base class.
            raise AttributeError("model_fields")
        return dict(_public_fields(owner))


class Record:
    """Base class of types, which are frozen attrs classes.

    - `dataclasses.replace`, `asdict`, `astuple`, `fields` and `is_dataclass` work, with the public
      names of the fields.
    - `model_dump`, `model_dump_json`, `model_copy`, `model_validate`, `model_validate_json`,
      `model_construct`, `model_fields` and `model_json_schema` do what pydantic's methods do.
    - A pydantic model may have fields of the type.
    - Objects that the official SDK has pickled are loaded as records if `import tinker` means this
      package.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
        model_fields: ClassVar[dict[str, attrs.Attribute[Any]]]
    else:
        __dataclass_fields__ = _DataclassFields()
        model_fields = _ModelFields()
    # Read by `pprint` and by a dataclass that is derived from a record.
    __dataclass_params__ = SimpleNamespace(
        init=True, repr=False, eq=True, order=False, unsafe_hash=False, frozen=True
    )

    #: Whether `model_validate` ignores unknown names: servers add fields to responses.
    _ignores_unknown_names: ClassVar[bool] = False
    #: The private attributes that the official SDK pickles, with the arguments they become here.
    _pickled_names: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__setstate__" in vars(cls):  # The class that attrs has created.
            restore = cast("Any", cls).__setstate__
            type.__setattr__(cls, "__setstate__", _reading_official_state(restore))

    def model_dump(
        self,
        *,
        mode: Literal["json", "python"] | str = "python",
        include: Selection | None = None,
        exclude: Selection | None = None,
        exclude_none: bool = False,
        exclude_defaults: bool = False,
        exclude_unset: bool = False,
        **_: Any,
    ) -> dict[str, Any]:
        """The fields as a dict; nested records become dicts too.

        Args:
            mode: "json" also converts datetimes to text and NaN to None.
            include: names of the fields to return; by default all.
            exclude: names of fields to omit.
            exclude_none: omit fields that are None.
            exclude_defaults: omit fields with their default.
            exclude_unset: the same, since a record does not remember how a value was set.

        Other options of pydantic are accepted and have no effect.
        """
        options = _Options(mode == "json", exclude_none, exclude_defaults or exclude_unset)
        return _dump_record(self, options, include, exclude)

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """`model_dump` as JSON text."""
        return json.dumps(
            self.model_dump(**options | {"mode": "json"}),
            indent=indent,
            separators=(",", ":") if indent is None else None,
            ensure_ascii=False,
        )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed; unlike in pydantic, the new values are checked.

        Raises:
            TypeError: a name in `update` is not a field.
        """
        record = copy.deepcopy(self) if deep else self
        values = {name: getattr(record, name) for name in _public_fields(type(self))}
        return type(self)(**values | dict(update or {}))

    @classmethod
    def model_construct(cls, _fields_set: Set[str] | None = None, **values: Any) -> Self:
        """Create a record; unlike in pydantic, the values are checked."""
        return cls(**values)

    @classmethod
    def model_validate(cls, obj: Any, **_: Any) -> Self:
        """Create a record from a dict such as `model_dump` returns; a record is returned as is.

        Nested dicts become records. Unknown names are ignored in responses and rejected elsewhere,
        as in the official SDK.

        Raises:
            InvalidInputError: (a ValueError) a field is missing, unknown or invalid.
        """
        if isinstance(obj, cls):
            return obj
        if not isinstance(obj, Mapping):
            raise InvalidInputError(
                f"expected a dict or {cls.__name__}, got {type(obj).__name__}", where=cls.__name__
            )
        return cast("Self", _validate(cls, obj))

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **_: Any) -> Self:
        """`model_validate` for JSON text."""
        try:
            content = json.loads(json_data)
        except ValueError as error:
            raise InvalidInputError(f"not JSON: {error}", where=cls.__name__) from None
        return cls.model_validate(content)

    @classmethod
    def model_json_schema(cls, **options: Any) -> dict[str, Any]:
        """The JSON schema of the type. Requires pydantic."""
        from pydantic import TypeAdapter

        return TypeAdapter(cls).json_schema(**options)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Called by pydantic for a model that has a field of this type."""
        from pydantic_core import core_schema

        def validate(value: Any) -> Record:
            try:
                return cls.model_validate(value)
            except TypeError as error:
                raise ValueError(str(error)) from None

        def serialize(value: Record, info: core_schema.SerializationInfo) -> dict[str, Any]:
            return value.model_dump(
                mode=info.mode,
                exclude_none=info.exclude_none,
                exclude_defaults=info.exclude_defaults,
            )

        return core_schema.no_info_plain_validator_function(
            validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                serialize, info_arg=True, return_schema=core_schema.dict_schema()
            ),
            metadata={_FIELDS: lambda: _fields_schema(cls, handler)},
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Called by pydantic for the JSON schema of such a model."""
        create = cast("Any", schema).get("metadata", {})[_FIELDS]
        return {**handler(create()), "title": cls.__name__}


def _reading_official_state(restore: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """A `__setstate__` that also accepts the state of a pydantic model or dataclass."""

    def __setstate__(self: Record, state: dict[str, Any]) -> None:  # noqa: N807
        cls = type(self)
        values = state.get("__dict__") if "__pydantic_fields_set__" in state else state
        names = {field.name for field in attrs.fields(cast("Any", cls))}
        if values is state and state.keys() <= names:
            restore(self, state)
            return
        arguments = {
            cls._pickled_names.get(name, name): value
            for name, value in dict(values or {}).items()
            if value is not None and name != "type"
        }
        try:
            cast("Any", cls).__init__(self, **arguments)
        except (TypeError, ValueError) as error:
            import pickle

            raise pickle.UnpicklingError(
                f"{cls.__name__} was pickled by a package or release whose fields differ: {error}"
            ) from error

    return __setstate__


_FIELDS = "tinker_ext_fields"


def _fields_schema(cls: type[Record], handler: GetCoreSchemaHandler) -> CoreSchema:
    """pydantic's schema of a dict with the fields of a record."""
    from pydantic_core import core_schema

    annotations = _annotations(cls)
    return core_schema.typed_dict_schema(
        {
            name: core_schema.typed_dict_field(
                handler.generate_schema(annotations[name]),
                required=field.default is attrs.NOTHING,
            )
            for name, field in _public_fields(cls).items()
        }
    )


@attrs.frozen
class _Options:
    """The options of `model_dump` that hold for nested records as well."""

    as_json: bool
    exclude_none: bool
    exclude_defaults: bool


def _dump_record(
    record: Record, options: _Options, include: Any = None, exclude: Any = None
) -> dict[str, Any]:
    values = {}
    for name, field in _public_fields(type(record)).items():
        nested_include, nested_exclude = _nested(include, name), _nested(exclude, name)
        if (include is not None and name not in include) or (
            exclude is not None and name in exclude and nested_exclude is None
        ):
            continue
        value = getattr(record, name)
        if options.exclude_none and value is None:
            continue
        if options.exclude_defaults and _is_default(field, record, value):
            continue
        dump = field.metadata.get(_DUMP)
        values[name] = (
            _dump(value, options, nested_include, nested_exclude) if dump is None else dump(value)
        )
    return values


def _nested(selection: Any, name: object) -> Any:
    """The selection within a field: None if it is selected as a whole, or not at all."""
    nested = selection.get(name) if isinstance(selection, Mapping) else None
    return None if nested is True or nested is Ellipsis else nested


def _is_default(field: attrs.Attribute[Any], record: Record, value: Any) -> bool:
    default = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # A class at run time.
        factory: Any = default
        default = factory.factory(record) if factory.takes_self else factory.factory()
    return default is not attrs.NOTHING and bool(value == default)


def _dump(value: Any, options: _Options, include: Any = None, exclude: Any = None) -> Any:
    match value:
        case Record():
            return _dump_record(value, options, include, exclude)
        case Mapping():
            return {key: _dump(item, options) for key, item in value.items()}
        case tuple() if not options.as_json:
            return tuple(_dump(item, options) for item in value)
        case list() | tuple():
            return [_dump(item, options) for item in value]
        case datetime() if options.as_json:
            text = value.isoformat()
            return text.removesuffix("+00:00") + "Z" if value.tzinfo is UTC else text
        case float() if options.as_json and not math.isfinite(value):
            return None
        case _ if options.as_json and hasattr(value, "tolist"):
            return _dump(value.tolist(), options)
        case _:
            return value


def _cached(function: Callable[[type], T]) -> Callable[[type], T]:
    """`functools.cache` for functions of a class, which mypy does not accept as its argument."""
    return cast("Callable[[type], T]", cache(function))


@_cached
def _public_fields(cls: Any) -> dict[str, attrs.Attribute[Any]]:
    """The fields that a caller can set, by their public names."""
    return {field.alias or field.name: field for field in attrs.fields(cls) if field.init}


@_cached
def _annotations(cls: type) -> dict[str, Any]:
    """The types of the public fields. A private field has that of its public property."""
    names = {"Array": Any}  # numpy is loaded on demand.
    hints = get_type_hints(cls, localns=names)
    annotations = {}
    for name, field in _public_fields(cls).items():
        getter = getattr(getattr(cls, name, None), "fget", None)
        annotations[name] = (
            hints[field.name] if getter is None else get_type_hints(getter, localns=names)["return"]
        )
    return annotations


@_cached
def _dataclass_fields(cls: type) -> dict[str, dataclasses.Field[Any]]:
    """Descriptions of the public fields in the form of the standard library."""
    import dataclasses

    annotations = _annotations(cls)
    result = {}
    for name, attribute in _public_fields(cls).items():
        default: Any = attribute.default
        arguments: dict[str, Any] = {}
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # A class at run time.
            if not default.takes_self:
                arguments["default_factory"] = default.factory
        elif default is not attrs.NOTHING:
            arguments["default"] = default
        field = dataclasses.field(**arguments, kw_only=bool(attribute.kw_only))
        field.name, field.type = name, annotations[name]
        # As the decorator `dataclass` marks fields, which the module's functions look for.
        cast("Any", field)._field_type = vars(dataclasses)["_FIELD"]
        result[name] = field
    return result


def _validate(cls: type[Any], content: Mapping[Any, Any]) -> Any:
    fields, annotations = _public_fields(cls), _annotations(cls)
    unknown = [name for name in content if name not in fields]
    if unknown and not cls._ignores_unknown_names:
        raise InvalidInputError(
            f"unknown fields: {', '.join(map(repr, unknown))}; expected {', '.join(fields)}",
            where=cls.__name__,
        )
    missing = [
        name
        for name, field in fields.items()
        if field.default is attrs.NOTHING and name not in content
    ]
    if missing:
        raise InvalidInputError(f"missing fields: {', '.join(missing)}", where=cls.__name__)
    return cls(
        **{
            name: _convert(annotations[name], value)
            for name, value in content.items()
            if name in fields
        }
    )


def _convert(annotation: Any, value: Any) -> Any:
    """Convert dicts to records and text to datetimes where the annotation says so."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _convert_union([member for member in arguments if member is not NoneType], value)
    if _is_record(annotation):
        return annotation.model_validate(value) if isinstance(value, Mapping) else value
    if annotation is datetime and isinstance(value, str):
        return datetime.fromisoformat(value)
    if origin is list and arguments and isinstance(value, list | tuple):
        return [_convert(arguments[0], item) for item in value]
    if origin is dict and arguments and isinstance(value, Mapping):
        return {key: _convert(arguments[1], item) for key, item in value.items()}
    return value


def _convert_union(members: list[Any], value: Any) -> Any:
    """Convert to the member with the value's `type`, or to the first that accepts the value."""
    records = [member for member in members if _is_record(member)]
    if records and isinstance(value, Mapping):
        by_type = [record for record in records if _constant(record) == value.get("type")]
        error: InvalidInputError | TypeError | None = None
        for record in by_type or records:
            try:
                return record.model_validate(value)
            except (InvalidInputError, TypeError) as failure:
                error = error or failure
        if error is not None:
            raise error
    for member in members:
        converted = _convert(member, value)
        if converted is not value:
            return converted
    return value


def _is_record(annotation: object) -> TypeGuard[type[Record]]:
    return isinstance(annotation, type) and issubclass(annotation, Record)


def _constant(record: type[Record]) -> Any:
    """The default of the field `type`, which identifies a member of a union."""
    field = _public_fields(record).get("type")
    return None if field is None else field.default
