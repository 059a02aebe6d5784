"""Runs the matrix of generators, and writes its table into docs/portable.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import field, mutable

from codegen.npm import ToolError
from codegen.paths import ROOT
from conformance.portable.cases import Case, case_server, differences, recorded_cases
from conformance.portable.generators import (
    Generator,
    NotInstalledError,
    StepFailedError,
)
from tinker_ext.embedded.launch import start_embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PAGE = ROOT / "docs" / "portable.md"
BEGIN = "<!-- The table is written by `make portable`. -->"
END = "<!-- The end of the table. -->"
HEAD = (
    "| generator | generates | compiles | trains and samples | decodes | lost, needed |",
    "|---|---|---|---|---|---|",
)
PROTOCOL = "0.4.1"
MAX_TOKENS = 3


@mutable
class Result:
    """The results of one generator.

    Attributes:
        steps: for generate, compile and run, "yes" or what prevented it.
        decoded: the number of recorded responses that were decoded without a difference.
        problems: errors and differences.
        failed: whether a step failed for another reason than a missing tool.
    """

    generator: Generator
    cases: int
    steps: dict[str, str] = field(factory=dict)
    decoded: int | None = None
    problems: list[str] = field(factory=list)
    failed: bool = False


def check(generators: Sequence[Generator]) -> list[Result]:
    """Generate, compile and run each, against a strict server and the recorded responses."""
    cases = recorded_cases()
    names = json.dumps([{"name": case.name, "model": case.model} for case in cases])
    results = []
    with start_embedded(protocol=PROTOCOL) as server, case_server(cases) as url:
        environment = {"TINKER_BASE_URL": server.url, "CASES_URL": url, "CASES": names}
        for generator in generators:
            results.append(_check(generator, cases, environment))
    return results


def _check(generator: Generator, cases: list[Case], environment: dict[str, str]) -> Result:
    result = Result(generator, len(cases))
    output: list[str] = []

    def generate() -> None:
        generator.prepare()
        generator.generate()

    def run() -> None:
        output.extend(generator.run(environment).splitlines())

    steps: dict[str, Callable[[], None]] = {
        "generate": generate,
        "compile": generator.compile,
        "run": run,
    }
    for name, step in steps.items():
        try:
            step()
        except (NotInstalledError, ToolError) as error:
            result.steps[name] = f"no: {error}"
            return result
        except StepFailedError as error:
            result.steps[name] = "fails"
            result.problems.append(f"{name}: {error}")
            result.failed = True
            return result
        result.steps[name] = "yes"
    _compare(result, cases, [json.loads(line) for line in output if line.startswith("{")])
    return result


def _compare(result: Result, cases: list[Case], lines: list[dict[str, Any]]) -> None:
    trained = lines[0] if lines else {}
    if not (trained.get("loss", 0) > 0 and len(trained.get("tokens", [])) == MAX_TOKENS):
        result.problems.append(f"training and sampling: {trained}")
        result.steps["run"] = "wrong"
    values = {line["case"]: line["value"] for line in lines[1:]}
    problems_of = {
        case.name: differences(case, values[case.name]) if case.name in values else ["no output"]
        for case in cases
    }
    result.decoded = sum(not problems for problems in problems_of.values())
    result.problems += [text for problems in problems_of.values() for text in problems]
    result.failed = bool(result.problems)


def table(results: Sequence[Result]) -> str:
    """The results as a table in Markdown."""
    return "\n".join([*HEAD, *(_row(result) for result in results)])


def _row(result: Result) -> str:
    steps = [result.steps.get(name, "") for name in ("generate", "compile", "run")]
    decoded = "" if result.decoded is None else f"{result.decoded} of {result.cases}"
    remarks = [result.generator.remark, *result.problems[:3]]
    text = " ".join(remark.splitlines()[0][:200] for remark in remarks)
    return "| " + " | ".join([result.generator.title, *steps, decoded, text]) + " |"


def update_table(results: Sequence[Result], titles: Sequence[str]) -> None:
    """Replace the rows of `results` in docs/portable.md; the order is that of `titles`."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    written, after = rest.split(END)
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in written.splitlines()}
    rows |= {result.generator.title: _row(result) for result in results}
    lines = [*HEAD, *(rows[title] for title in titles if title in rows)]
    text = "\n".join(lines)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
