"""Check the TypeScript client (`make port`).

Generates its types from the specification, compiles it, checks its rules against the vectors, and
trains and samples on a strict server of release 0.4.1.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from codegen.npm import ToolError, run
from codegen.paths import ROOT

FOLDER = ROOT / "ports" / "typescript"
# The command of this checkout, installed beside the running interpreter.
SERVER = Path(sys.executable).with_name("tinker-ext")


def main() -> int:
    try:
        output = run(FOLDER, "npm", "run", "check", environment={"TINKER_EXT": str(SERVER)})
    except ToolError as problem:
        print(problem, file=sys.stderr)
        return 1
    passed = re.search(r"\bpass (\d+)", output)
    if passed is None or int(passed[1]) == 0:
        print(f"no test ran:\n{output}", file=sys.stderr)
        return 1
    print(f"{FOLDER.relative_to(ROOT)}: {passed[1]} tests passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
