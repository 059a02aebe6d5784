"""Write the tables of docs/faults.md; `--run` also runs all cells and prints unexpected results."""

from __future__ import annotations

import os
import sys
import time

from conformance.faultmatrix.operation import GROUPS, LATE_PROTOCOL
from conformance.faultmatrix.processes import run_all
from conformance.faultmatrix.table import DOCUMENT, count_cells, document


def _run() -> None:
    started = time.monotonic()
    for operation, unexpected in run_all().items():
        for case, result in unexpected.items():
            print(f"{operation} x {case}: {result}")
    usage = os.times()
    print(
        f"{count_cells(*GROUPS, LATE_PROTOCOL)} cells in {time.monotonic() - started:.0f} s, "
        f"{usage.children_user + usage.children_system:.0f} s of CPU time"
    )


def main() -> None:
    if "--run" in sys.argv:
        _run()
    DOCUMENT.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
