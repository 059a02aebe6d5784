"""Production code calls every public function of the rules, with every argument.

A rule or an argument that only the vectors use would be tested, and ported, without effect.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import field, frozen, mutable

import tinker_ext

ROOT = Path(tinker_ext.__file__).parent
PACKAGES = ("rules", "protocol")


@frozen
class Call:
    """A call of a rule; `caller` is the calling rule, or None for other code."""

    caller: str | None
    positional: int
    keywords: frozenset[str]


@mutable
class Usage:
    functions: dict[str, ast.FunctionDef] = field(factory=dict)
    calls: defaultdict[str, list[Call]] = field(factory=lambda: defaultdict(list))
    #: The attribute names that each module reads.
    attributes: dict[str, set[str]] = field(factory=dict)


def module_name(path: Path) -> str:
    return ".".join(("tinker_ext", *path.relative_to(ROOT).with_suffix("").parts))


def is_rule_module(name: str) -> bool:
    return name.split(".")[1] in PACKAGES


def imported_names(tree: ast.Module) -> dict[str, str]:
    """Maps the imported names of a module to the dotted names that they stand for."""
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def dotted_name(node: ast.expr, names: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute) and (parent := dotted_name(node.value, names)):
        return f"{parent}.{node.attr}"
    return None


def calls_in(
    node: ast.stmt, names: dict[str, str], caller: str | None
) -> Iterator[tuple[str, Call]]:
    """Yields the calls of functions; a function passed as an argument counts as a call with one."""
    for inner in ast.walk(node):
        if not isinstance(inner, ast.Call):
            continue
        if callee := dotted_name(inner.func, names):
            keywords = frozenset(keyword.arg for keyword in inner.keywords if keyword.arg)
            yield callee, Call(caller, len(inner.args), keywords)
        for argument in inner.args:
            if callee := dotted_name(argument, names):
                yield callee, Call(caller, 1, frozenset())


@pytest.fixture(scope="module")
def usage() -> Usage:
    """The public functions of the rules, and the calls and attributes in production code."""
    usage = Usage()
    for path in ROOT.rglob("*.py"):
        module = module_name(path)
        if module.startswith("tinker_ext.testing"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = imported_names(tree)
        own = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        if is_rule_module(module):
            names |= {node.name: f"{module}.{node.name}" for node in own}
            usage.functions |= {f"{module}.{node.name}": node for node in own}
        for node in tree.body:
            is_rule = is_rule_module(module) and node in own
            caller = names[node.name] if is_rule and isinstance(node, ast.FunctionDef) else None
            for callee, call in calls_in(node, names, caller):
                usage.calls[callee].append(call)
        usage.attributes[module] = {
            node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
        }
    return usage


def reachable_calls(usage: Usage) -> dict[str, list[Call]]:
    """The calls of each rule by other code, or by rules that other code reaches."""
    reached: dict[str, list[Call]] = {}
    while True:
        before = len(reached)
        for name in usage.functions:
            calls = [
                call
                for call in usage.calls[name]
                if call.caller is None or (call.caller != name and call.caller in reached)
            ]
            if calls:
                reached[name] = calls
        if len(reached) == before:
            return reached


def unused_arguments(function: ast.FunctionDef, call: Call) -> set[str]:
    positional = [argument.arg for argument in function.args.args]
    keyword_only = [argument.arg for argument in function.args.kwonlyargs]
    return {*positional[call.positional :], *keyword_only} - call.keywords


def public_functions() -> list[str]:
    return [
        f"{module_name(path)}.{node.name}"
        for package in PACKAGES
        for path in sorted((ROOT / package).glob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]


@pytest.mark.parametrize("name", public_functions())
def test_rule_is_called_with_every_argument(usage: Usage, name: str) -> None:
    calls = reachable_calls(usage).get(name, [])
    assert calls, "not called by production code"
    unused = [unused_arguments(usage.functions[name], call) for call in calls]
    assert min(unused, key=len) == set(), "no production call passes all arguments"


def public_methods() -> list[tuple[str, str]]:
    return [
        (module_name(path), method.name)
        for package in PACKAGES
        for path in sorted((ROOT / package).glob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_")
        if node.name != "ChunkOutput"  # a protocol for type checking
    ]


@pytest.mark.parametrize(("module", "name"), public_methods())
def test_method_of_a_rule_is_used(usage: Usage, module: str, name: str) -> None:
    assert any(name in attributes for attributes in usage.attributes.values()), module
