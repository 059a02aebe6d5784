"""Generate clients from `openapi/portable` and run them (`make portable`).

portable.py                 all generators; writes the table in docs/portable.md
portable.py python go       these only
"""

from __future__ import annotations

import argparse
import sys

from conformance.portable.generators import ALL
from conformance.portable.matrix import check, table, write_table


def main() -> int:
    names = [generator.name for generator in ALL]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", choices=[*names, []], metavar=f"{{{','.join(names)}}}")
    chosen = parser.parse_args().names
    results = check([generator() for generator in ALL if not chosen or generator.name in chosen])
    print(table(results))
    for result in results:
        for problem in result.problems:
            print(f"{result.generator.name}: {problem}", file=sys.stderr)
    if not chosen:
        write_table(results)
    return 1 if any(result.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
