"""Conversion between the generated models and the types of this package, by field name.

A field is converted by its annotation, or by the function in its metadata (`converted_by`).
Datetimes without a zone are UTC; classes with a ``from_api`` are decoded with it, also inside lists
and dicts. A missing or null field has its default; without a default, lists and dicts are empty.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from datetime import datetime
from functools import cache, partial
from types import NoneType
from typing import (
    Any,
    Literal,
    NamedTuple,
    Self,
    TypeAlias,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from attrs import NOTHING, fields

from tinker_ext.types.records import Record
from tinker_ext.types.unset import as_dict, as_utc, or_unset

T = TypeVar("T")
Convert: TypeAlias = Callable[[Any], Any]

_CONVERT = "convert"


class ResponseType(Record):
    """Base class of types that are decoded from a generated model with the same field names."""

    __slots__ = ()
    _ignores_unknown_names = True

    @classmethod
    def from_api(cls, model: Any) -> Self:
        """Decodes the generated model."""
        return structure(cls, model)


class RequestType(Record):
    """Base class of types that are sent as the generated model with the same names.

    Fields that are None are omitted from the request.
    """

    __slots__ = ()

    def to_api(self) -> Any:
        """Builds the generated model."""
        from tinker_api import models

        names = [rule.name for rule in _rules(cast("Any", type(self)))]
        model = getattr(models, type(self).__name__)
        return model(**{name: _to_api(getattr(self, name)) for name in names})


def converted_by(convert: Convert) -> dict[str, Convert]:
    """Field metadata that makes `structure` call `convert` instead of using the annotation."""
    return {_CONVERT: convert}


class _Rule(NamedTuple):
    """The conversion of a field."""

    name: str
    convert: Convert | None
    #: Creates the value of a missing list or dict; None for other fields and those with a default.
    empty: Callable[[], Any] | None
    has_default: bool


def structure(cls: type[T], model: object, **values: Any) -> T:
    """Builds an attrs class from a generated model; `values` take precedence over the model's.

    Constants (``type: Literal["save_weights"]``) are not read from the model.
    """
    from tinker_api.types import Unset

    for name, convert, empty, has_default in _rules(cast("Any", cls)):
        if name in values:
            continue
        value = getattr(model, name)
        if value is None or isinstance(value, Unset):
            if has_default:
                continue
            value = None if empty is None else empty()
        values[name] = value if convert is None else convert(value)
    return cls(**values)


@cache
def _rules(cls: type) -> tuple[_Rule, ...]:
    return tuple(_rule(field, annotation) for field, annotation in _variable_fields(cls))


def _variable_fields(cls: Any) -> list[tuple[Any, Any]]:
    """The fields that are not constants, with their annotations."""
    # `datetime` is passed because the response modules import it for type checking only.
    annotations = get_type_hints(cls, localns={"datetime": datetime})
    pairs = [(field, annotations[field.name]) for field in fields(cls)]
    return [pair for pair in pairs if not _is_constant(pair[1])]


def _is_constant(annotation: Any) -> bool:
    return get_origin(annotation) is Literal and len(get_args(annotation)) == 1


def _rule(field: Any, annotation: Any) -> _Rule:
    annotation = _without_none(annotation)
    has_default = field.default is not NOTHING
    origin = get_origin(annotation)
    empty = origin if origin in (list, dict) and not has_default else None
    return _Rule(
        field.name, field.metadata.get(_CONVERT) or _converter(annotation), empty, has_default
    )


def _without_none(annotation: Any) -> Any:
    """The type ``T`` of ``T | None``; other unions are returned unchanged."""
    members = [member for member in get_args(annotation) if member is not NoneType]
    optional = NoneType in get_args(annotation) and len(members) == 1
    return members[0] if optional else annotation


def _converter(annotation: Any) -> Convert | None:
    if annotation is datetime:
        return as_utc
    match get_origin(annotation), get_args(annotation):
        case builtins.list, (item,):
            convert = _converter(item)
            return None if convert is None else partial(_convert_items, convert)
        case builtins.dict, (_, item):
            convert = _converter(item)
            return as_dict if convert is None else partial(_convert_values, convert)
    return getattr(annotation, "from_api", None)


def _convert_items(convert: Convert, models: list[Any]) -> list[Any]:
    return [convert(model) for model in models]


def _convert_values(convert: Convert, models: object) -> dict[str, Any]:
    return {key: convert(model) for key, model in (as_dict(models) or {}).items()}


def _to_api(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_to_api(item) for item in value]
    if isinstance(value, datetime):
        return as_utc(value)
    return value.to_api() if hasattr(value, "to_api") else or_unset(value)
