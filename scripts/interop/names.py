"""The public names of the official SDKs, and which of them another package has not, or not so."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interop.environments import ROOT, python_of
from interop.session import drive_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Json = Mapping[str, Any]

RECORDS = ROOT / "tests" / "official_names"
RELEASES = ("0.4.1", "0.38.0")
MODULES = ("package", "types")
# Made by the SDK alone, so that what they are made of is its own affair.
NOT_BUILT = frozenset(
    {
        "APIFuture",
        "BackcompatSamplingClientFuture",
        "BackcompatTrainingClientFuture",
        "SamplingClient",
        "TrainingClient",
    }
)


def names_of(release: str) -> Json:
    """The names of `tinker==release`, looked at in its environment."""
    return _looked_at(python_of(release), "tinker")


def own_names() -> Json:
    """The names of this project's package."""
    return _looked_at(Path(sys.executable), "tinker_ext")


def recorded(release: str) -> Json:
    """The names of a release as they were last looked at (`make names`)."""
    found: Json = json.loads(path_of(release).read_text(encoding="utf-8"))
    return found


def path_of(release: str) -> Path:
    return RECORDS / f"{release}.json"


def as_text(names: Json) -> str:
    """The content of a record: a line for each class."""
    described = names["described"].items()
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in described)
    modules = "".join(f" {json.dumps(one)}: {json.dumps(names[one])},\n" for one in MODULES)
    return f'{{\n{modules} "described": {{\n{lines}\n }}\n}}\n'


def _looked_at(python: Path, package: str) -> Json:
    run = drive_by(python, "names", "http://127.0.0.1", {"DRIVER_PACKAGE": package})
    if run.failures:
        raise RuntimeError(f"{package} can't be looked at: {run.failures}")
    found = {module: run.steps[module].value for module in MODULES}
    described = {name: one for names in found.values() for name, one in names.items() if one}
    names = {module: sorted(found[module]) for module in MODULES}
    return {**names, "described": dict(sorted(described.items()))}


def differences(official: Json, ours: Json) -> list[str]:
    """What a program of the official SDK may name that `ours` has not: `Name`, `Name.member`,
    `Name(argument)`, `Name.method(argument)`. An argument in another place counts as well.
    """
    found = set()
    for module in MODULES:
        lacking = set(official[module]) - set(ours[module])
        found |= lacking
        for name in set(official[module]) - lacking:
            theirs, own = official["described"].get(name), ours["described"].get(name)
            if theirs is not None and own is not None:
                found |= set(_of_class(name, theirs, own))
    return sorted(found)


def _of_class(name: str, theirs: Json, own: Json) -> Iterator[str]:
    if not (name in NOT_BUILT or name.endswith("Error")):
        yield from _of_call(name, theirs.get("made"), own.get("made"))
    for member, taken in theirs["members"].items():
        if member in own["members"]:
            yield from _of_call(f"{name}.{member}", taken, own["members"][member])
        else:
            yield f"{name}.{member}"


def _of_call(name: str, theirs: list[str] | None, own: list[str] | None) -> Iterator[str]:
    """Arguments that the one takes and the other does not, or not so."""
    if theirs is None or own is None or "**kwargs" in theirs:
        return
    placed = [one.rstrip("=") for one in own if one[0] != "*"]
    named = {one.lstrip("*").rstrip("=") for one in own}
    anything = any(one.startswith("**") for one in own)
    for at, one in enumerate(theirs):
        argument = one.lstrip("*").rstrip("=")
        in_place = one[0] == "*" or placed[at : at + 1] == [argument]
        if not ((argument in named and in_place) or (anything and one[0] == "*")):
            yield f"{name}({argument})"
        elif one.endswith("=") and argument in own:
            yield f"{name}({argument})"  # it has to be given here
    asked = {one.lstrip("*").rstrip("=") for one in theirs}
    yield from (
        f"{name}({one})" for one in own if one.isidentifier() and one not in asked
    )  # it is not asked for there
