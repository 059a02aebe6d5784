"""Lint or convert the specification: `export_spec.py lint | typescript | docs`."""

import sys

from codegen.commands.export_spec import main

if __name__ == "__main__":
    sys.exit(main())
