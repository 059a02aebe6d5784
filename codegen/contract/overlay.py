"""The overlay: facts about the API that a wheel does not contain.

`openapi/overlay.yaml` is an OpenAPI Overlay 1.0 document, applied by `oas-patch`. Each action has

    x-why       the reason, in a sentence
    x-evidence  the source of the fact
    x-probe     optional: applies to the releases whose wheel has (or lacks) a text in a module
    x-releases  optional: the releases it applies to, as a version specifier (`>=0.25`)
    x-unkept    optional: true for elements that only releases which are not kept have
    x-form      optional: `tolerant` to apply it to the tolerant form only (default `contract`)
    x-adds      optional: true if it adds operations, components or fields

An action that matches nothing or changes nothing is an error, and so is a name that no release has,
so the overlay stays in step with the wheels. An action for all releases may match only some; an
action with `x-probe` or `x-releases` must match each of these releases.

A probe is preferred to a range of releases, because it also holds for releases that are not kept:

    x-probe: {module: tinker.lib.api_future_impl, has: complete_metadata}

The text is searched in the code of the module, without comments and docstrings.

`oas-patch` 0.6 cannot update an entry of a list (with jsonpath-ng 1.16 it loses the index), so such
a target is rejected. Everything that needs a description is a component or has its own key.
"""

from __future__ import annotations

import ast
import copy
import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import orjson
from jsonpath_ng import Index
from jsonpath_ng.ext.parser import parse
from oas_patch.overlay import apply_overlay as apply_actions
from packaging.specifiers import SpecifierSet

if TYPE_CHECKING:
    from codegen.documents import Json
    from codegen.wheel.wheels import Wheel

Form = Literal["contract", "tolerant"]

TYPE_REFERENCE = re.compile(r"#/components/schemas/(\w+)")
NAMING_LEVELS = {"paths", "parameters", "schemas", "properties"}
"""The keys below these keys, and below a path, are names, which must exist in the document."""


class OverlayError(Exception):
    """An action of the overlay has no effect, or names something that does not exist."""


@dataclass(frozen=True)
class Effect:
    """The effect of one action on one document.

    Attributes:
        changed: whether the document changed.
        unknown: names in the update that the document does not have; they were skipped.
        known: names in the update that the document has.
    """

    changed: bool
    unknown: frozenset[str]
    known: frozenset[str]


Effects = dict[int, Effect]
"""Effects by the index of the action; actions for other releases or forms have no entry."""


def apply_overlay(
    document: Json, overlay: Json, *, release: str, form: Form, wheel: Wheel | None = None
) -> tuple[Json, Effects]:
    """Apply the actions of `overlay` for this release and form; return the result and the effects.

    `wheel` is the wheel of the release, in which the probes of actions search.

    Names in an update that the release does not have are skipped. `check_effects` decides over all
    releases whether that is an error.
    """
    result: Json = copy.deepcopy(document)
    effects: Effects = {}
    before = orjson.dumps(result)
    for place, action in enumerate(overlay["actions"]):
        if not _applies(action, release, form, wheel):
            continue
        applicable, unknown, known = _applicable(action, result)
        after = before
        if applicable is not None:
            after = orjson.dumps(apply_actions(result, {"actions": [_plain(applicable)]}))
            result = orjson.loads(after)  # oas-patch inserts the same object in several places
        effects[place] = Effect(after != before, frozenset(unknown), frozenset(known))
        before = after
    return result, effects


def check_effects(overlay: Json, effects: dict[str, Effects], *, kept: bool = True) -> None:
    """Check the effects of all actions over all releases in `effects`.

    An action must change each release that its `x-probe` or `x-releases` selects, or some release
    if it has neither; each name in its update must exist in some release. With `kept`, which means
    that not all releases are in `effects`, actions with `x-unkept` are not checked.

    Raises:
        OverlayError: an action violates these rules.
    """
    for place, action in enumerate(overlay["actions"]):
        if kept and action.get("x-unkept"):
            continue
        applied = {
            release: by_place[place] for release, by_place in effects.items() if place in by_place
        }
        idle = [release for release, effect in applied.items() if not effect.changed]
        limited = "x-releases" in action or "x-probe" in action
        if idle and (len(idle) == len(applied) or limited):
            where = ", ".join(idle)
            raise OverlayError(f"{_name(action)}: matches nothing or changes nothing in {where}")
        known = {name for effect in applied.values() for name in effect.known}
        missing = {name for effect in applied.values() for name in effect.unknown} - known
        if missing:
            raise OverlayError(f"{_name(action)}: there is no {', '.join(sorted(missing))}")


def idle_actions(overlay: Json, effects: Effects) -> list[str]:
    """Descriptions of the actions for one release that did not change it."""
    return [
        f"{_name(overlay['actions'][place])}: {overlay['actions'][place]['x-why'].strip()}"
        for place, effect in effects.items()
        if not effect.changed
    ]


def apply_checked(document: Json, overlay: Json, *, release: str, form: Form) -> Json:
    """Apply the overlay to a single document, which every action must match completely."""
    result, effects = apply_overlay(document, overlay, release=release, form=form)
    check_effects(overlay, {release: effects})
    return result


def _applies(action: Json, release: str, form: Form, wheel: Wheel | None) -> bool:
    missing = {"x-why", "x-evidence"} - action.keys()
    if missing:
        raise OverlayError(f"{_name(action)}: no {' and no '.join(sorted(missing))}")
    if action.get("x-form", "contract") != form:
        return False
    for_release = SpecifierSet(action.get("x-releases", "")).contains(release, prereleases=True)
    return for_release and _holds(action, wheel)


def _holds(action: Json, wheel: Wheel | None) -> bool:
    """Returns True if the probe of the action finds its text, or if the action has no probe."""
    probe = action.get("x-probe")
    if probe is None:
        return True
    if wheel is None or probe.keys() - {"module", "has", "lacks"}:
        raise OverlayError(
            f"{_name(action)}: a probe needs a wheel, a module, and `has` or `lacks`"
        )
    code = _code(wheel.modules.get(probe["module"], ""))
    return probe.get("has", "") in code and ("lacks" not in probe or probe["lacks"] not in code)


@cache
def _code(text: str) -> str:
    """The source text of a module without comments and docstrings."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(value=None)
    return ast.unparse(tree)


def _plain(action: Json) -> Json:
    """The action without our extensions; its values are copied."""
    return {key: copy.deepcopy(value) for key, value in action.items() if not key.startswith("x-")}


def _applicable(action: Json, document: Json) -> tuple[Json | None, list[str], list[str]]:
    """The action without names that its target does not have; the unknown and the known names.

    Only names are checked, keywords are not. An action with `x-adds` defines its names.
    """
    update = action.get("update")
    matches = _path(action["target"]).find(document)
    if any(isinstance(match.path, Index) for match in matches) and isinstance(update, dict):
        raise OverlayError(f"{_name(action)}: an entry of a list cannot be updated")
    if not matches or _dangling(action, document):
        return None, [], []
    if len(matches) > 1 or action.get("x-adds") or not isinstance(update, dict):
        return action, [], []
    unknown: list[str] = []
    known: list[str] = []
    level = str(matches[0].path).strip("'\"")
    applicable = _prune(update, matches[0].value, (level,), known, unknown)
    return ({**action, "update": applicable} if applicable else None), unknown, known


@cache
def _path(target: str) -> Any:
    """The parsed JSONPath `target`; parsing takes longer than searching."""
    return parse(target)


def _dangling(action: Json, document: Json) -> bool:
    """Returns True if the update refers to a type that the release does not have."""
    if action.get("x-adds"):
        return False
    known = document["components"].get("schemas", {})
    return not set(TYPE_REFERENCE.findall(json.dumps(action.get("update")))) <= known.keys()


def _prune(
    update: Json, present: object, way: tuple[str, ...], known: list[str], unknown: list[str]
) -> Json:
    """`update` without the names that `present` does not have; keywords are not checked."""
    if not isinstance(present, dict):
        return update
    pruned: Json = {}
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
        pruned[name] = inner
    return pruned


def _name(action: Json) -> str:
    kind: Any = next((key for key in ("update", "remove", "copy") if key in action), "action")
    return f"overlay {kind} of {action.get('target')}"
