"""The overlay: what people know and the wheel does not say.

`openapi/overlay.yaml` is an OpenAPI Overlay 1.0 document, applied by `oas-patch`. Each action
carries

    x-why       the reason, in a sentence
    x-evidence  where the fact comes from
    x-releases  optional: the releases it is for, as a version specifier (`>=0.25`)
    x-form      optional: `tolerant` for the tolerant reading only (default `contract`)
    x-adds      optional: true where it adds operations, components or fields

and must do something: an action that matches nothing, changes nothing or names what does not exist
is an error, so that the overlay cannot fall out of step with the wheels.

`oas-patch` 0.6 cannot update an entry of a list (with jsonpath-ng 1.16 it loses the index); such a
target is refused here. What needs a description is therefore a component, or a key of its own.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

from jsonpath_ng import Index
from jsonpath_ng.ext.parser import parse
from oas_patch.overlay import apply_overlay as apply_actions
from packaging.specifiers import SpecifierSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .documents import Json

Form = Literal["contract", "tolerant"]

NAMING_LEVELS = {"paths", "parameters", "schemas", "properties"}
"""Below these keys, and below a path, stand the names of things, which an update must know."""


class OverlayError(Exception):
    """An action of the overlay does not do what it says."""


def apply_overlay(document: Json, overlay: Json, *, release: str, form: Form) -> Json:
    """`document` with the actions of `overlay` that are for this release and this form."""
    result = copy.deepcopy(document)
    for action in actions_for(overlay, release, form):
        before = copy.deepcopy(result)
        _check_names(action, before)
        result = apply_actions(result, {"actions": [_plain(action)]})
        if result == before:
            raise OverlayError(f"{_name(action)}: matches nothing or changes nothing in {release}")
    return result


def actions_for(overlay: Json, release: str, form: Form) -> Iterator[Json]:
    for action in overlay["actions"]:
        missing = {"x-why", "x-evidence"} - action.keys()
        if missing:
            raise OverlayError(f"{_name(action)}: no {' and no '.join(sorted(missing))}")
        meant = SpecifierSet(action.get("x-releases", "")).contains(release, prereleases=True)
        if meant and action.get("x-form", "contract") == form:
            yield action


def _plain(action: Json) -> Json:
    """The action without our own extensions, its values copied so that nothing is shared."""
    return {key: copy.deepcopy(value) for key, value in action.items() if not key.startswith("x-")}


def _check_names(action: Json, document: Json) -> None:
    """An update may describe operations, components and fields, but not invent them silently."""
    update = action.get("update")
    if action.get("x-adds") or not isinstance(update, dict):
        return
    for match in parse(action["target"]).find(document):
        if isinstance(match.path, Index):
            raise OverlayError(f"{_name(action)}: an entry of a list cannot be updated")
        unknown = list(_unknown(update, match.value, str(match.path).strip("'\"")))
        if unknown:
            raise OverlayError(f"{_name(action)}: there is no {', '.join(unknown)}")


def _unknown(update: Json, known: object, level: str) -> Iterator[str]:
    """Names in `update` that `known` does not have, where names are those of things."""
    if not isinstance(known, dict):
        return
    for name, value in update.items():
        below = known.get(name)
        if below is None and (level in NAMING_LEVELS or level.startswith("/")):
            yield name
        elif isinstance(value, dict) and isinstance(below, dict):
            yield from _unknown(value, below, name)


def _name(action: Json) -> str:
    kind: Any = next((key for key in ("update", "remove", "copy") if key in action), "action")
    return f"overlay {kind} of {action.get('target')}"
