"""The overlay: what people know and the wheel does not say.

`openapi/overlay.yaml` is an OpenAPI Overlay 1.0 document, applied by `oas-patch`. Each action
carries

    x-why       the reason, in a sentence
    x-evidence  where the fact comes from
    x-releases  optional: the releases it is for, as a version specifier (`>=0.25`)
    x-form      optional: `tolerant` for the tolerant reading only (default `contract`)
    x-adds      optional: true where it adds operations, components or fields

and must do something: an action that matches nothing or changes nothing is an error, and so is a
name that no release has, so that the overlay cannot fall out of step with the wheels. An action for
all releases may fit some of them only; one with `x-releases` must fit each of these.

`oas-patch` 0.6 cannot update an entry of a list (with jsonpath-ng 1.16 it loses the index); such a
target is refused here. What needs a description is therefore a component, or a key of its own.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from jsonpath_ng import Index
from jsonpath_ng.ext.parser import parse
from oas_patch.overlay import apply_overlay as apply_actions
from packaging.specifiers import SpecifierSet

if TYPE_CHECKING:
    from codegen.documents import Json

Form = Literal["contract", "tolerant"]

TYPE_REFERENCE = re.compile(r"#/components/schemas/(\w+)")
NAMING_LEVELS = {"paths", "parameters", "schemas", "properties"}
"""Below these keys, and below a path, stand the names of things, which an update must know."""


class OverlayError(Exception):
    """An action of the overlay does not do what it says."""


@dataclass(frozen=True)
class Effect:
    """What one action did to one document.

    Attributes:
        changed: whether the document is another one afterwards.
        unknown: names in the action's update that the document does not have, left out.
        known: names in it that the document has.
    """

    changed: bool
    unknown: frozenset[str]
    known: frozenset[str]


Effects = dict[int, Effect]
"""By the action's place in the overlay; actions for other releases or forms are not in it."""


def apply_overlay(
    document: Json, overlay: Json, *, release: str, form: Form
) -> tuple[Json, Effects]:
    """`document` with the actions of `overlay` for this release and this form, and what they did.

    What of an update a release does not have is left out of it; whether that is right is judged
    over all releases, by `check_effects`.
    """
    result: Json = copy.deepcopy(document)
    effects: Effects = {}
    before = json.dumps(result)
    for place, action in enumerate(overlay["actions"]):
        if not _is_meant(action, release, form):
            continue
        fitting, unknown, known = _fitting(action, result)
        after = before
        if fitting is not None:
            after = json.dumps(apply_actions(result, {"actions": [_plain(fitting)]}))
            result = json.loads(after)  # an update of several places puts one object into them all
        effects[place] = Effect(after != before, frozenset(unknown), frozenset(known))
        before = after
    return result, effects


def check_effects(overlay: Json, effects: dict[str, Effects]) -> None:
    """Refuse actions that do not do what they say, judged over all releases in `effects`.

    An action must change each release it names with `x-releases`, or some release if it names none;
    each name in its update must exist in some release.
    """
    for place, action in enumerate(overlay["actions"]):
        done = {release: made[place] for release, made in effects.items() if place in made}
        idle = [release for release, effect in done.items() if not effect.changed]
        if idle and (len(idle) == len(done) or "x-releases" in action):
            where = ", ".join(idle)
            raise OverlayError(f"{_name(action)}: matches nothing or changes nothing in {where}")
        known = {name for effect in done.values() for name in effect.known}
        missing = {name for effect in done.values() for name in effect.unknown} - known
        if missing:
            raise OverlayError(f"{_name(action)}: there is no {', '.join(sorted(missing))}")


def idle_actions(overlay: Json, effects: Effects) -> list[str]:
    """In words, the actions meant for one release that did not change it."""
    return [
        f"{_name(overlay['actions'][place])}: {overlay['actions'][place]['x-why'].strip()}"
        for place, effect in effects.items()
        if not effect.changed
    ]


def apply_checked(document: Json, overlay: Json, *, release: str, form: Form) -> Json:
    """`apply_overlay` for a document that stands alone: every action must match it fully."""
    result, effects = apply_overlay(document, overlay, release=release, form=form)
    check_effects(overlay, {release: effects})
    return result


def _is_meant(action: Json, release: str, form: Form) -> bool:
    missing = {"x-why", "x-evidence"} - action.keys()
    if missing:
        raise OverlayError(f"{_name(action)}: no {' and no '.join(sorted(missing))}")
    meant = SpecifierSet(action.get("x-releases", "")).contains(release, prereleases=True)
    return meant and action.get("x-form", "contract") == form


def _plain(action: Json) -> Json:
    """The action without our own extensions, its values copied so that nothing is shared."""
    return {key: copy.deepcopy(value) for key, value in action.items() if not key.startswith("x-")}


def _fitting(action: Json, document: Json) -> tuple[Json | None, list[str], list[str]]:
    """The action without names unknown at the place it is for; then those names, and the others.

    Names of things are checked, keywords are not; an action with `x-adds` brings its names along.
    """
    update = action.get("update")
    matches = parse(action["target"]).find(document)
    if any(isinstance(match.path, Index) for match in matches) and isinstance(update, dict):
        raise OverlayError(f"{_name(action)}: an entry of a list cannot be updated")
    if not matches or _dangling(action, document):
        return None, [], []
    if len(matches) > 1 or action.get("x-adds") or not isinstance(update, dict):
        return action, [], []
    unknown: list[str] = []
    known: list[str] = []
    level = str(matches[0].path).strip("'\"")
    fitting = _prune(update, matches[0].value, (level,), known, unknown)
    return ({**action, "update": fitting} if fitting else None), unknown, known


def _dangling(action: Json, document: Json) -> bool:
    """Whether the update refers to a type the release does not have; it then is not for it."""
    if action.get("x-adds"):
        return False
    known = document["components"].get("schemas", {})
    return not set(TYPE_REFERENCE.findall(json.dumps(action.get("update")))) <= known.keys()


def _prune(
    update: Json, present: object, way: tuple[str, ...], known: list[str], unknown: list[str]
) -> Json:
    """`update` without the names that `present` does not have, where names are those of things."""
    if not isinstance(present, dict):
        return update
    kept: Json = {}
    for name, value in update.items():
        below = present.get(name)
        here = (*way, name)
        if way[-1] in NAMING_LEVELS or way[-1].startswith("/"):
            (unknown if below is None else known).append(" ".join(here[1:]))
            if below is None:
                continue
        inner = value
        if isinstance(value, dict) and isinstance(below, dict):
            inner = _prune(value, below, here, known, unknown)
            if not inner and value:
                continue
        kept[name] = inner
    return kept


def _name(action: Json) -> str:
    kind: Any = next((key for key in ("update", "remove", "copy") if key in action), "action")
    return f"overlay {kind} of {action.get('target')}"
