"""The client in TypeScript: `python scripts/port.py` (`make port`).

Types are made from the specification, the compiler has no complaint, the rules give the answers of
the vectors, and the client trains and samples before a strict server of release 0.4.1.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from codegen.npm import ToolError, run
from codegen.paths import ROOT

FOLDER = ROOT / "ports" / "typescript"
# The server of this checkout, installed beside the interpreter that runs this.
SERVER = Path(sys.executable).with_name("tinker-ext")


def main() -> int:
    try:
        said = run(FOLDER, "npm", "run", "check", environment={"TINKER_EXT": str(SERVER)})
    except ToolError as problem:
        print(problem, file=sys.stderr)
        return 1
    passed = re.search(r"\bpass (\d+)", said)
    if passed is None or int(passed[1]) == 0:
        print(f"no test was run:\n{said}", file=sys.stderr)
        return 1
    print(f"{FOLDER.relative_to(ROOT)}: {passed[1]} tests passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
