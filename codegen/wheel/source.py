"""The modules of a wheel as syntax trees, and the resolution of names in them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen.wheel.wheels import Wheel

DefinitionNode = ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Definition:
    """A definition: its node, and the module in which its names are resolved."""

    module: Module
    node: DefinitionNode

    @property
    def where(self) -> str:
        return f"{self.module.name}:{self.node.lineno}"


@dataclass(frozen=True)
class ExternalName:
    """A name outside the wheel, as `module.name` (`typing.Optional`, `builtins.str`)."""

    name: str


@dataclass(eq=False)
class Module:
    """One parsed module."""

    name: str
    tree: ast.Module
    is_package: bool

    @cached_property
    def bindings(self) -> dict[str, DefinitionNode | tuple[str, str]]:
        """The definition of each top-level name, or (module, name) for an import."""
        bindings: dict[str, DefinitionNode | tuple[str, str]] = {}
        for statement in _top_level(self.tree.body):
            if isinstance(statement, ast.ImportFrom):
                origin = self._origin(statement)
                for alias in statement.names:
                    bindings.setdefault(alias.asname or alias.name, (origin, alias.name))
            elif isinstance(statement, ast.Import):
                for alias in statement.names:
                    bindings.setdefault(
                        (alias.asname or alias.name).split(".")[0], (alias.name, "")
                    )
            elif isinstance(statement, ast.ClassDef):
                bindings[statement.name] = statement
            elif isinstance(statement, ast.Assign):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        bindings[target.id] = statement
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                bindings[statement.target.id] = statement
        return bindings

    def _origin(self, statement: ast.ImportFrom) -> str:
        if statement.level == 0:
            return statement.module or ""
        parts = self.name.split(".")
        up = statement.level - 1 if self.is_package else statement.level
        base = parts[: len(parts) - up]
        return ".".join([*base, *([statement.module] if statement.module else [])])


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements at module level, including those in `if` and `try`."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try):
            yield from _top_level(statement.body + statement.orelse)


class Source:
    """All modules of one wheel."""

    def __init__(self, wheel: Wheel) -> None:
        self.release = wheel.release
        self.modules = {
            name: Module(name, ast.parse(text), name in wheel.packages)
            for name, text in wheel.modules.items()
        }

    def resolve(self, module: Module, expression: ast.expr) -> Definition | ExternalName:
        """Resolve the name or dotted name `expression` as used in `module`."""
        if isinstance(expression, ast.Name):
            return self._follow(module, expression.id, seen=set())
        if isinstance(expression, ast.Attribute):
            owner = self._module_of(module, expression.value)
            if isinstance(owner, Module):
                return self._follow(owner, expression.attr, seen=set())
            return ExternalName(f"{owner}.{expression.attr}")
        return ExternalName(ast.unparse(expression))

    def _module_of(self, module: Module, expression: ast.expr) -> Module | str:
        """The module that a prefix such as `types` in `types.Datum` refers to."""
        if isinstance(expression, ast.Name):
            binding = module.bindings.get(expression.id)
            if isinstance(binding, tuple):
                origin, name = binding
                dotted = f"{origin}.{name}" if name else origin
                return self.modules.get(dotted, dotted)
        return ast.unparse(expression)

    def _follow(
        self, module: Module, name: str, seen: set[tuple[str, str]]
    ) -> Definition | ExternalName:
        if (module.name, name) in seen:
            return ExternalName(f"{module.name}.{name}")
        seen.add((module.name, name))
        binding = module.bindings.get(name)
        if isinstance(binding, tuple):
            origin, original = binding
            target = self.modules.get(origin)
            if target is None or not original:
                return ExternalName(f"{origin}.{original}" if original else origin)
            return self._follow(target, original, seen)
        if isinstance(binding, ast.ClassDef | ast.Assign | ast.AnnAssign):
            return Definition(module, binding)
        return ExternalName(f"builtins.{name}")
