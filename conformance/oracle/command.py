"""Compare contracts with the official packages: `python scripts/oracle.py [RELEASE ...]`.

Without arguments, every release on the package index is compared, and `openapi/ORACLE.md` is
written. Exit status 1 means a difference or a gap without a reason, or a reason that matches no
difference.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from attrs import frozen

from codegen.contract.overlay import OverlayError, check_effects
from codegen.contract.release import read_contract, unusable_operations
from codegen.documents import load_yaml
from codegen.lock import locked_wheel
from codegen.paths import OPENAPI, OVERLAY, ROOT
from codegen.releases.union import in_release_order
from codegen.wheel.pypi import all_releases
from codegen.wheel.wheels import WheelError
from conformance.oracle.facts import compare
from conformance.oracle.package import InspectionError, inspect
from conformance.oracle.reasons import load_reasons, unexplained

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codegen.contract.overlay import Effects
    from conformance.oracle.facts import Comparison, Difference
    from conformance.oracle.reasons import Reason

REPORT = OPENAPI / "ORACLE.md"
HEAD = """\
<!-- Do not edit. Written by `make oracle`. -->

# The contracts compared with the official packages

The reader of wheels parses source text. The oracle imports the package of the release in an
environment of its own, asks pydantic for the schema of each model, and calls each function that has
an API path with a transport that records. A *fact* is one thing that both sides state: a type, a
field, whether it is required, its default, its type, the values of an enumeration, whether unknown
fields are rejected, a header, or a recorded request that must be valid under the contract. A *gap*
is a part of a wheel that no rule can read. *Unexplained* counts differences without a reason below.
"""


@frozen
class Result:
    """The comparison of one release, its gaps, and the differences without a reason."""

    release: str
    comparison: Comparison
    gaps: tuple[str, ...]
    operations: int
    effects: Effects
    unexplained: list[Difference]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("releases", nargs="*", help="releases of tinker on PyPI; default: all")
    options = parser.parse_args()
    try:
        releases = in_release_order(options.releases or all_releases())
        with ProcessPoolExecutor() as processes:
            results = [_reported(result) for result in processes.map(compare_release, releases)]
        if not options.releases:
            effects = {result.release: result.effects for result in results}
            check_effects(load_yaml(OVERLAY), effects, kept=False)
    except (WheelError, InspectionError, OverlayError) as error:
        print(error, file=sys.stderr)
        return 2
    failed = any(result.unexplained or result.gaps for result in results)
    if not options.releases:
        unused = unused_reasons(results)
        for reason in unused:
            print(f"no difference is explained by the reason for {reason.place}", file=sys.stderr)
        REPORT.write_text(report(results), encoding="utf-8")
        print(REPORT.relative_to(ROOT))
        failed = failed or bool(unused)
    return 1 if failed else 0


def compare_release(release: str) -> Result:
    """Compare the contract of `release` with its package."""
    contract = read_contract(locked_wheel(release))
    comparison = compare(inspect(release), contract.document)
    operations = sum(len(item) for item in contract.document["paths"].values())
    gaps = (*contract.gaps, *unusable_operations(contract.document))
    open_differences = unexplained(comparison.differences, load_reasons())
    return Result(release, comparison, gaps, operations, contract.effects, open_differences)


def unused_reasons(results: Iterable[Result]) -> list[Reason]:
    differences = [item for result in results for item in result.comparison.differences]
    return [
        reason
        for reason in load_reasons()
        if not any(reason.explains(difference) for difference in differences)
    ]


def _reported(result: Result) -> Result:
    facts, differences = _facts(result), len(result.comparison.differences)
    print(
        f"{result.release}: {facts} facts, {differences} differences, "
        f"{len(result.unexplained)} unexplained, {len(result.gaps)} gaps",
        flush=True,
    )
    for line in [*result.gaps, *map(str, result.unexplained)]:
        print(f"    {line}")
    return result


def _facts(result: Result) -> int:
    return sum(result.comparison.facts.values())


def report(results: list[Result]) -> str:
    """The text of the report."""
    total = sum(_facts(result) for result in results)
    lines = [
        HEAD,
        f"{len(results)} releases, {total:,} facts, "
        f"{sum(len(result.unexplained) for result in results)} unexplained differences.",
        "",
        "| release | operations | recorded requests | facts | differences | unexplained | gaps |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in reversed(results):
        cells = (
            result.release,
            result.operations,
            result.comparison.facts["request"],
            _facts(result),
            len(result.comparison.differences),
            len(result.unexplained),
            len(result.gaps),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", "## The reasons", "", "| fact | releases | reason |", "|---|---|---|"]
    for reason in load_reasons():
        having = [
            result.release
            for result in results
            if any(reason.explains(item) for item in result.comparison.differences)
        ]
        span = f"{having[0]} to {having[-1]} ({len(having)})" if having else "none"
        lines.append(f"| `{reason.place}` | {span} | {' '.join(reason.why.split())} |")
    return "\n".join([*lines, ""])
