"""Measure how many mutants of the rules the vectors detect (`make mutants`).

mutmut changes one expression or statement of a function in `tinker_ext/rules` or
`tinker_ext/protocol` at a time: an operator, a constant, an argument. A mutant that
tests/unit/rules/test_vectors.py does not detect is a decision that no vector checks, which a client
in another language could get wrong. The tests of requests and responses are left out: they test
whole clients, and start a server.

mutmut generates the mutants. They are run here, each in a fork of one process that has collected
the tests, since its own runner collects them again for each mutant and takes an hour.

Mutants of text that vectors do not specify are counted apart: messages of exceptions, warnings and
malformed responses, `__str__`, the state of a queue for logs, and the reason of a retry decision.
The wording of hints is not, although vectors specify a part of it only. mutmut does not change
constants of modules, decorated functions (properties) and annotations. A function that no vector
calls counts as not detected.

The result is written to dist/mutants.txt, with each mutant that was not detected.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import importlib.util
import os
import resource
import sys
import time
import warnings
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attrs import define, field, frozen
from mutmut.configuration import config
from mutmut.mutation import trampoline
from mutmut.mutation.file_mutation import MutatedFile, mutate_file_contents

if TYPE_CHECKING:
    from types import CodeType

ROOT = Path(__file__).parents[1]
TESTS = "tests/unit/rules/test_vectors.py"
LEFT_OUT = ("test_requests", "test_responses")
WORKERS = 2
# Functions that return text for messages and logs.
TEXT_FUNCTIONS = ("xǁServerProtocolǁ__str__", "x__kind", "x_describe_queue", "x_last_seen")
# An endless loop ends as a detected mutant. CPU time does not depend on other processes.
CPU_SECONDS = 10
MEMORY = 2**30


@frozen
class Mutant:
    name: str  # the name that mutmut's trampoline expects
    function: str
    module: str  # "rules/chunking.py"
    line: int
    before: str
    after: str
    is_text: bool


@define
class Mutants:
    """The mutated modules, which it also imports in place of the files."""

    files: dict[str, tuple[Path, MutatedFile]] = field(factory=dict)

    @classmethod
    def generate(cls) -> Mutants:
        mutants = cls()
        for package in config().source_paths:
            for path in sorted((ROOT / package).glob("*.py")):
                mutated = mutate_file_contents(str(path), path.read_text(encoding="utf-8"))
                if mutated.mutant_names:
                    mutants.files[".".join((*package.parts, path.stem))] = (path, mutated)
        return mutants

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name not in self.files:
            return None
        file, mutated = self.files[name]
        loader = _Loader(name, str(file), mutated.code)
        return importlib.util.spec_from_file_location(name, file, loader=loader)

    def __iter__(self) -> Iterator[Mutant]:
        for module, (path, mutated) in self.files.items():
            lines = mutated.code.splitlines()
            starts = _starts(path.read_text(encoding="utf-8"))
            for name in mutated.mutant_names:
                function = name.rpartition("__mutmut_")[0]
                before, after = (
                    _lines_of(mutated, lines, key) for key in (f"{function}__mutmut_orig", name)
                )
                after[0] = after[0].replace(name, f"{function}__mutmut_orig")
                at, old, new = _difference(before, after)
                yield Mutant(
                    name=f"{module}.{name}",
                    function=f"{module}.{function}",
                    module=str(path.relative_to(ROOT / "tinker_ext")),
                    line=starts[function] + at,
                    before=old,
                    after=new,
                    is_text=_is_text(before, after, function),
                )


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, code: str) -> None:
        super().__init__(name, path)
        self.code = code

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.code, self.path, "exec", dont_inherit=True)


def _starts(source: str) -> dict[str, int]:
    """The line of each function and method, by mutmut's name for it."""
    starts = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            starts[f"x_{node.name}"] = node.lineno
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    starts[f"xǁ{node.name}ǁ{method.name}"] = method.lineno
    return starts


def _lines_of(mutated: MutatedFile, lines: list[str], name: str) -> list[str]:
    span = mutated.line_span_by_function_name[name]
    text = lines[span.start - 1 : span.end]
    while not text[0].strip() or text[0].lstrip().startswith(("#", "@")):
        text = text[1:]
    return text


def _difference(before: list[str], after: list[str]) -> tuple[int, str, str]:
    """The index of the first changed line, and the changed lines of both."""
    for tag, i, j, k, m in difflib.SequenceMatcher(None, before, after, False).get_opcodes():
        if tag != "equal":
            old, new = (" ".join(map(str.strip, part)) for part in (before[i:j], after[k:m]))
            return i, old, new
    raise ValueError("mutant without a change")


def _is_text(before: list[str], after: list[str], function: str) -> bool:
    """Whether a mutant changes only text that vectors do not specify."""
    if function in TEXT_FUNCTIONS:
        return True
    trees = [_without_text(ast.parse(_dedented(lines))) for lines in (before, after)]
    return ast.dump(trees[0]) == ast.dump(trees[1])


def _dedented(lines: list[str]) -> str:
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] if line.strip() else "" for line in lines)


def _without_text(tree: ast.Module) -> ast.Module:
    """Removes the messages of exceptions, warnings and malformed responses, and of decisions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            node.exc.args = []
        if isinstance(node, ast.Call):
            if ast.unparse(node.func) in ("warnings.warn", "Malformed"):
                node.args, node.keywords = [], []
            node.keywords = [word for word in node.keywords if word.arg != "reason"]
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "plural":
            node.value = ast.Constant("")
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            node.value.elts = [
                entry
                for entry in node.value.elts
                if not isinstance(entry, ast.JoinedStr)
                and not (isinstance(entry, ast.Constant) and isinstance(entry.value, str))
            ]
    return tree


@define
class Runner:
    """A pytest plugin that runs the collected tests once for each mutant that they reach."""

    mutants: list[Mutant]
    survived: list[Mutant] = field(factory=list)
    unreached: list[Mutant] = field(factory=list)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items: list[Any] = [item for item in session.items if not item.name.startswith(LEFT_OUT)]
        tests = self._tests_by_function(items)
        running: dict[int, Mutant] = {}
        for mutant in self.mutants:
            if mutant.function not in tests:
                self.unreached.append(mutant)
                continue
            if len(running) == WORKERS:
                self._wait(running)
            pid = os.fork()
            if pid == 0:
                _run_mutant(mutant, tests[mutant.function])
            running[pid] = mutant
        while running:
            self._wait(running)
        return True

    def _wait(self, running: dict[int, Mutant]) -> None:
        pid, status = os.wait()
        mutant = running.pop(pid)
        if os.waitstatus_to_exitcode(status) == 0:
            self.survived.append(mutant)

    def _tests_by_function(self, items: list[Any]) -> dict[str, list[Any]]:
        tests: dict[str, list[Any]] = {}
        for item in items:
            hits: set[str] = set()

            def record(name: str, caller: str | None = None, hits: set[str] = hits) -> None:
                hits.add(name)

            trampoline.record_trampoline_hit = record
            trampoline.set_mutant_under_test("stats")
            _run(item)
            for name in hits:
                tests.setdefault(name, []).append(item)
        return tests


def _run(item: Any) -> None:
    """Runs a test without fixtures: it requires none, and none of the rules reads a setting."""
    item.obj(**(item.callspec.params if hasattr(item, "callspec") else {}))


def _run_mutant(mutant: Mutant, items: list[Any]) -> None:
    """Runs tests until one fails, and ends the process with 1 in that case and 0 otherwise."""
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        with contextlib.suppress(ValueError, OSError):  # macOS has no such limit
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        warnings.simplefilter("error")
        trampoline.set_mutant_under_test(mutant.name)
        for item in items:
            _run(item)
        code = 0
    finally:
        os._exit(code)


def report(mutants: list[Mutant], undetected: list[Mutant]) -> str:
    lines = []
    for title, is_text in (("logic", False), ("text that vectors do not specify", True)):
        lines.append(f"Mutants of {title}: detected, of all")
        group = [mutant for mutant in mutants if mutant.is_text is is_text]
        missed = [mutant for mutant in undetected if mutant.is_text is is_text]
        for module in sorted({mutant.module for mutant in group}):
            count = sum(mutant.module == module for mutant in group)
            left = sum(mutant.module == module for mutant in missed)
            lines.append(f"  {module:32} {count - left:5} {count:5}")
        detected, total = len(group) - len(missed), len(group)
        lines.append(f"  {'total':32} {detected:5} {total:5} {100 * detected / total:6.1f} %")
    return "\n".join(lines)


def details(undetected: list[Mutant], unreached: set[str]) -> str:
    lines = ["Not detected"]
    for mutant in sorted(
        undetected, key=lambda mutant: (mutant.is_text, mutant.module, mutant.line)
    ):
        kind = "text " if mutant.is_text else ""
        why = ", not called" if mutant.name in unreached else ""
        lines.append(f"tinker_ext/{mutant.module}:{mutant.line} ({kind}{mutant.name}{why})")
        lines.append(f"  - {mutant.before}\n  + {mutant.after}")
    return "\n".join(lines)


def main() -> int:
    os.chdir(ROOT)
    os.environ["TZ"] = "America/New_York"  # in GMT, mistakes about zones would not be detected
    time.tzset()
    generated = Mutants.generate()
    sys.meta_path.insert(0, generated)
    mutants = list(generated)
    runner = Runner(mutants)
    code = pytest.main([TESTS, "-q", "-p", "no:cacheprovider"], plugins=[runner])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return int(code)
    undetected = [*runner.survived, *runner.unreached]
    unreached = {mutant.name for mutant in runner.unreached}
    summary = report(mutants, undetected)
    output = ROOT / "dist" / "mutants.txt"
    output.parent.mkdir(exist_ok=True)
    output.write_text(f"{summary}\n\n{details(undetected, unreached)}\n", encoding="utf-8")
    print(f"{summary}\n\nThe mutants that were not detected are in {output.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
