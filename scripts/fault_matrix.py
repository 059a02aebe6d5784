"""Every operation of the client against every fault: what is to come of it, and the table of that.

`python scripts/fault_matrix.py` writes the table into docs/faults.md; tests/conformance runs the
cells. `python scripts/fault_matrix.py --run` runs them too and prints those that differ.
"""

from __future__ import annotations

import os
import sys
import time

from faultmatrix.operation import GROUPS, LATER
from faultmatrix.processes import run_all
from faultmatrix.table import DOCUMENT, count_cells, document


def _run() -> None:
    started = time.monotonic()
    for operation, different in run_all().items():
        for case, seen in different.items():
            print(f"{operation} x {case}: {seen}")
    used = os.times()
    print(
        f"{count_cells(*GROUPS, LATER)} cells in {time.monotonic() - started:.0f} s, "
        f"{used.children_user + used.children_system:.0f} s of the processor"
    )


def main() -> None:
    if "--run" in sys.argv:
        _run()
    DOCUMENT.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
