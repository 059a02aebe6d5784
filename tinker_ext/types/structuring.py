"""Conversion between the generated models and the types of this package.

The generated models distinguish a missing field (``UNSET``) from a null one. The rest of the
package does not need the difference and uses ``None`` for both.

`structure` converts a model by field name: each field by its annotation, or by the function in its
metadata (`converted_by`). Datetimes without a zone are UTC; classes with a ``from_api`` are decoded
with it, also inside lists and dicts. A missing or null field has its default; without a default,
lists and dicts are empty.

Responses are read tolerantly, so that one broken field does not lose a list of records:

- A field of another type than annotated counts as missing, as do a required field that is null and
  one that can't be converted. Without a default, it is None. A warning is logged once for each
  field of a class.
- An entry of another type than annotated is left out of a list or dict, with the same warning.
- A field marked `required` must have a valid value: counts, and fields without which the response
  is useless. A list must be a list.

The generated models leave such fields undecoded, see ``RECORDS`` in ``codegen/emit/bindings.py``.
"""

from __future__ import annotations

import builtins
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from types import NoneType, UnionType
from typing import (
    Any,
    Literal,
    Self,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from attrs import NOTHING, evolve, fields, frozen
from tinker_api import models
from tinker_api.types import UNSET, Unset

from tinker_ext.types.records import Record

T = TypeVar("T")
Convert: TypeAlias = Callable[[Any], Any]

_CONVERT = "convert"
_REQUIRED = "required"
#: Errors of a conversion; the field counts as missing.
_CONVERSION_ERRORS = (TypeError, ValueError, AttributeError, KeyError)
_logger = logging.getLogger(__name__)


def or_none(value: T | Unset | None) -> T | None:
    """Returns the value, or ``None`` if the field is null or missing."""
    return None if isinstance(value, Unset) else value


def or_default(value: T | Unset | None, default: T) -> T:
    """Returns the value, or ``default`` if the field is null or missing."""
    return default if value is None or isinstance(value, Unset) else value


def or_unset(value: T | None) -> T | Unset:
    """Returns the value for a query or body; ``None`` becomes ``UNSET``, which is omitted."""
    return UNSET if value is None else value


def as_dict(value: object) -> dict[str, Any] | None:
    """Returns a generated or plain map as a dict; ``None`` if it is null or missing."""
    if value is None or isinstance(value, Unset):
        return None
    mapping: Any = getattr(value, "additional_properties", value)
    return dict(mapping)


def as_utc(time: datetime) -> datetime:
    """Adds UTC to a time without a zone: some servers omit the ``Z``."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


class InvalidFieldError(ValueError):
    """A field that must be valid is missing, null or of another type."""


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
        names = [rule.name for rule in _rules(cast("Any", type(self)))]
        model = getattr(models, type(self).__name__)
        return model(**{name: _to_api(getattr(self, name)) for name in names})


def converted_by(convert: Convert) -> dict[str, Any]:
    """Field metadata that makes `structure` call `convert` instead of using the annotation."""
    return {_CONVERT: convert}


def decoded_as(
    *classes: type[ResponseType], other: Callable[[str, dict[str, Any]], Any]
) -> Convert:
    """A converter of objects that have one of several types.

    A generated model has the name of its class here. An object of an unknown type becomes
    ``other(type, content)``.
    """
    by_name = {cls.__name__: cls for cls in classes}

    def decode(model: Any) -> Any:
        if known := by_name.get(type(model).__name__):
            return known.from_api(model)
        content = model.to_dict()
        return other(str(content.get("type", "")), content)

    return decode


def required(convert: Convert | None = None) -> dict[str, Any]:
    """Field metadata that makes `structure` raise if the field has no valid value."""
    return {_REQUIRED: True, _CONVERT: convert}


@frozen
class _Rule:
    """How a field or an entry of a list or dict is read."""

    #: The class and the field, for messages.
    title: str
    #: The annotated type without None, for messages.
    expected: str
    #: Returns True if a value may be of the type; entries are not examined.
    is_valid: Callable[[Any], bool]
    convert: Convert | None
    #: The types of values that are returned unchanged; other types need the check above.
    plain: frozenset[type] = frozenset()
    #: Of a field; the following are, too.
    name: str = ""
    #: Creates the value of a missing list, dict or record without required fields; else None.
    empty: Callable[[], Any] | None = None
    has_default: bool = False
    #: Whether null or missing is an error.
    is_required: bool = False
    #: Whether an invalid value is an error.
    is_strict: bool = False

    def read(self, value: Any) -> Any:
        """Returns the converted value, or None if it is null, missing or invalid.

        Raises:
            InvalidFieldError: it is invalid and required, or a field in it is.
        """
        if type(value) in self.plain:
            return value
        if value is None or isinstance(value, Unset):
            if self.is_required or not (self.has_default or self.empty):
                self._report("null or missing")
            return None
        if not self.is_valid(value):
            return self._report(_described(value))
        if self.convert is None:
            return value
        try:
            return self.convert(value)
        except InvalidFieldError:
            raise
        except _CONVERSION_ERRORS:
            return self._report("a value that can't be converted")

    def _report(self, found: str) -> None:
        if self.is_strict:
            raise InvalidFieldError(f"{self.title}: expected {self.expected}, got {found}")
        _warn_once(self.title, self.expected, found)


@cache
def _warn_once(title: str, expected: str, found: str) -> None:
    """Logs a broken field; the cache suppresses repetitions."""
    _logger.warning(
        "%s: expected %s, got %s; the value is ignored (logged once)", title, expected, found
    )


def _described(value: Any) -> str:
    """The JSON type of a value; the value itself may be confidential."""
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "a string"}
    return names.get(type(value), "an array" if isinstance(value, list) else "an object")


def structure(cls: type[T], model: object, **values: Any) -> T:
    """Builds an attrs class from a generated model; `values` take precedence over the model's.

    Constants (``type: Literal["save_weights"]``) are not read from the model.

    Raises:
        InvalidFieldError: a required field or a list is invalid.
    """
    for rule in _rules(cast("Any", cls)):
        if rule.name in values:
            continue
        value = rule.read(getattr(model, rule.name))
        if value is not None:
            values[rule.name] = value
        elif not rule.has_default:
            values[rule.name] = None if rule.empty is None else rule.empty()
    return cls(**values)


def extension(model: Any, name: str) -> float | None:
    """A number in a field that is not part of the API; None if it is missing or not a number."""
    value = model.additional_properties.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


@cache
def _rules(cls: type) -> tuple[_Rule, ...]:
    return tuple(_rule(cls, field, annotation) for field, annotation in _variable_fields(cls))


def _variable_fields(cls: Any) -> list[tuple[Any, Any]]:
    """The fields that are not constants, with their annotations."""
    annotations = get_type_hints(cls)
    pairs = [(field, annotations[field.name]) for field in fields(cls)]
    return [
        (field, annotation)
        for field, annotation in pairs
        if not (get_origin(annotation) is Literal and len(get_args(annotation)) == 1)
    ]


def _rule(cls: type, field: Any, annotation: Any) -> _Rule:
    annotation = _without_none(annotation)
    has_default = field.default is not NOTHING
    title = f"{cls.__name__}.{field.name}"
    is_required = field.metadata.get(_REQUIRED, False)
    rule = _entry_rule(annotation, title)
    convert = field.metadata.get(_CONVERT) or rule.convert
    return evolve(
        rule,
        name=field.name,
        convert=convert,
        plain=frozenset() if convert else rule.plain,
        empty=None if has_default else _empty(annotation),
        has_default=has_default,
        is_required=is_required,
        is_strict=is_required or get_origin(annotation) is list,
    )


def _empty(annotation: Any) -> Callable[[], Any] | None:
    """Creates an empty list or dict, or an instance of a class whose fields all have defaults."""
    if (origin := get_origin(annotation)) in (list, dict):
        return cast("Callable[[], Any]", origin)
    if not (isinstance(annotation, type) and issubclass(annotation, ResponseType)):
        return None
    has_defaults = all(field.default is not NOTHING for field in fields(cast("Any", annotation)))
    return annotation if has_defaults else None


def _without_none(annotation: Any) -> Any:
    """The type ``T`` of ``T | None``; other unions are returned unchanged."""
    members = [member for member in get_args(annotation) if member is not NoneType]
    optional = NoneType in get_args(annotation) and len(members) == 1
    return members[0] if optional else annotation


#: Types of JSON, with the Python types that represent them. A boolean is not a number.
_SCALARS: Mapping[Any, tuple[str, tuple[type, ...]]] = {
    str: ("a string", (str,)),
    bool: ("a boolean", (bool,)),
    int: ("an integer", (int,)),
    float: ("a number", (float, int)),
    datetime: ("a time", (datetime,)),
}


@cache
def _entry_rule(annotation: Any, title: str) -> _Rule:
    """How a value of this type is read; the entries of a list or dict by the rule of their type."""
    annotation = str if _is_open_enumeration(annotation) else annotation
    if annotation in _SCALARS:
        expected, types = _SCALARS[annotation]
        convert = as_utc if annotation is datetime else None
        plain = frozenset() if convert else frozenset(types)
        return _Rule(title, expected, partial(_is_scalar, types), convert, plain)
    match get_origin(annotation), get_args(annotation):
        case builtins.list, (item,):
            entries = partial(_convert_items, _entry_rule(item, f"{title}[]"))
            return _Rule(title, "an array", _is_list, entries)
        case builtins.dict, (_, item):
            values = partial(_convert_values, _entry_rule(item, f"{title}[...]"))
            return _Rule(title, "an object", _is_mapping, as_dict if item is Any else values)
    expected = getattr(annotation, "__name__", None) or "a valid value"
    decode = getattr(annotation, "from_api", None)
    return _Rule(title, expected, _is_anything if decode is None else _is_model, decode)


def _is_open_enumeration(annotation: Any) -> bool:
    """Returns True for ``Literal["a", "b"] | str``."""
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    return str in members and all(item is str or get_origin(item) is Literal for item in members)


def _is_scalar(kinds: tuple[type, ...], value: object) -> bool:
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_mapping(value: object) -> bool:
    return isinstance(value, dict) or hasattr(value, "additional_properties")


def _is_model(value: object) -> bool:
    """Returns True for a decoded object; an undecoded value has a type of JSON."""
    return not isinstance(value, str | int | float | list | dict)


def _is_anything(_value: object) -> bool:
    return True


def read_metadata(annotation: type[T], value: Any, title: str) -> T | None:
    """Reads one field for a class that decodes itself; None if it is null, missing or invalid."""
    if value is None or isinstance(value, Unset):
        return None
    return cast("T | None", _entry_rule(cast("Any", annotation), title).read(value))


def _convert_items(rule: _Rule, values: list[Any]) -> list[Any]:
    if rule.plain.issuperset(map(type, values)):
        return list(values)
    read = map(rule.read, values)
    return [value for value in read if value is not None]


def _convert_values(rule: _Rule, values: object) -> dict[str, Any]:
    mapping = as_dict(values) or {}
    if rule.plain.issuperset(map(type, mapping.values())):
        return mapping
    converted = {}
    for key, value in mapping.items():
        if (entry := rule.read(value)) is not None:
            converted[key] = entry
    return converted


def _to_api(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_to_api(item) for item in value]
    if isinstance(value, datetime):
        return as_utc(value)
    return value.to_api() if hasattr(value, "to_api") else or_unset(value)
