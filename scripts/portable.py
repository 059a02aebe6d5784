"""Generate clients from `openapi/portable` and run them (`make portable`).

portable.py                 all generators, the mock server and the collection; writes the table in
                            docs/portable.md
portable.py python go       these generators only
portable.py mock            whether the mock server Prism accepts each recorded request
portable.py collection      writes dist/portable/tinker.postman_collection.json

The results of the generators are rows of the table in docs/portable.md.
"""

from __future__ import annotations

import argparse
import sys

from codegen.paths import ROOT
from conformance.portable.generators import ALL
from conformance.portable.matrix import check, table, update_table
from conformance.portable.mock import check_mock, write_collection


def main() -> int:
    names = [generator.name for generator in ALL]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    everything = [*names, "mock", "collection"]
    parser.add_argument("names", nargs="*", metavar=f"{{{','.join(everything)}}}")
    chosen = parser.parse_args().names
    if unknown := set(chosen) - set(everything):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    selected = chosen or everything
    failed = False
    if "collection" in selected:
        path = write_collection()
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.1f} MB")
    if "mock" in selected:
        count, problems = check_mock()
        print(f"prism: {count - len(problems)} of {count} recorded requests accepted")
        failed = report("mock", problems)
    results = check([generator() for generator in ALL if generator.name in selected])
    if results:
        print(table(results))
        update_table(results, [generator.title for generator in ALL])
    for result in results:
        failed |= report(result.generator.name, result.problems)
    return 1 if failed else 0


def report(name: str, problems: list[str]) -> bool:
    """Print the problems; return whether there is one."""
    for problem in problems:
        print(f"{name}: {problem}", file=sys.stderr)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
