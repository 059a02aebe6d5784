"""Run one of the compiler's commands: `python -m codegen spec 0.38.0`."""

from __future__ import annotations

import importlib
import sys

COMMANDS = (
    "spec",
    "check_spec",
    "generate",
    "check_generated",
    "protobuf",
    "diff",
    "watch",
    "export_spec",
)


def main() -> int:
    name = sys.argv[1].replace("-", "_") if len(sys.argv) > 1 else ""
    if name not in COMMANDS:
        print(f"usage: python -m codegen {{{','.join(COMMANDS)}}} ...", file=sys.stderr)
        return 2
    del sys.argv[1]
    command = importlib.import_module(f"codegen.commands.{name}")
    status: int = command.main()
    return status


if __name__ == "__main__":
    sys.exit(main())
