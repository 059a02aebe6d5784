"""The public names of the official SDKs, compared with those of another package."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.interop.environments import ROOT, python_of
from conformance.interop.session import run_driver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Json = Mapping[str, Any]

RECORDS = ROOT / "tests" / "official_names"
RELEASES = ("0.4.1", "0.38.0")
MODULES = ("package", "types")
# Constructed by the SDK only, so users do not depend on the constructor's arguments.
NOT_CONSTRUCTED = frozenset(
    {
        "APIFuture",
        "BackcompatSamplingClientFuture",
        "BackcompatTrainingClientFuture",
        "SamplingClient",
        "TrainingClient",
    }
)


def names_of(release: str) -> Json:
    """The names of `tinker==release`, inspected in its environment."""
    return _inspect(python_of(release), "tinker")


def own_names() -> Json:
    """The names of this project's package."""
    return _inspect(Path(sys.executable), "tinker_ext")


def recorded(release: str) -> Json:
    """The names of a release as recorded by `make names`."""
    names: Json = json.loads(path_of(release).read_text(encoding="utf-8"))
    return names


def path_of(release: str) -> Path:
    return RECORDS / f"{release}.json"


def as_text(names: Json) -> str:
    """The content of a record, with one line per class."""
    described = names["described"].items()
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(item)}" for name, item in described)
    modules = "".join(
        f" {json.dumps(module)}: {json.dumps(names[module])},\n" for module in MODULES
    )
    return f'{{\n{modules} "described": {{\n{lines}\n }}\n}}\n'


def _inspect(python: Path, package: str) -> Json:
    run = run_driver(python, "list_names", "http://127.0.0.1", {"DRIVER_PACKAGE": package})
    if run.failures:
        raise RuntimeError(f"{package} can't be inspected: {run.failures}")
    modules = {module: run.steps[module].value for module in MODULES}
    described = {name: item for names in modules.values() for name, item in names.items() if item}
    names = {module: sorted(modules[module]) for module in MODULES}
    return {**names, "described": dict(sorted(described.items()))}


def differences(official: Json, ours: Json) -> list[str]:
    """List the official names that `ours` lacks: `Name`, `Name.member`, `Name(argument)` or
    `Name.method(argument)`. An argument in a different position counts as well.
    """
    missing = set()
    for module in MODULES:
        lacking = set(official[module]) - set(ours[module])
        missing |= lacking
        for name in set(official[module]) - lacking:
            theirs, own = official["described"].get(name), ours["described"].get(name)
            if theirs is not None and own is not None:
                missing |= set(_of_class(name, theirs, own))
    return sorted(missing)


def _of_class(name: str, theirs: Json, own: Json) -> Iterator[str]:
    if not (name in NOT_CONSTRUCTED or name.endswith("Error")):
        yield from _of_call(name, theirs.get("constructor"), own.get("constructor"))
    for member, taken in theirs["members"].items():
        if member in own["members"]:
            yield from _of_call(f"{name}.{member}", taken, own["members"][member])
        else:
            yield f"{name}.{member}"


def _of_call(name: str, theirs: list[str] | None, own: list[str] | None) -> Iterator[str]:
    """Arguments that only one of the two accepts, or that they accept differently."""
    if theirs is None or own is None or "**kwargs" in theirs:
        return
    positional = [item.rstrip("=") for item in own if item[0] != "*"]
    accepted = {item.lstrip("*").rstrip("=") for item in own}
    has_kwargs = any(item.startswith("**") for item in own)
    for index, item in enumerate(theirs):
        argument = item.lstrip("*").rstrip("=")
        in_place = item[0] == "*" or positional[index : index + 1] == [argument]
        if not ((argument in accepted and in_place) or (has_kwargs and item[0] == "*")):
            yield f"{name}({argument})"
        elif item.endswith("=") and argument in own:
            yield f"{name}({argument})"  # optional there, required here
    official = {item.lstrip("*").rstrip("=") for item in theirs}
    # required here, unknown there
    yield from (f"{name}({item})" for item in own if item.isidentifier() and item not in official)
