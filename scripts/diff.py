"""List the changes between two releases: `python scripts/diff.py 0.4.1 0.38.0` (`make diff`)."""

import sys

from codegen.commands.diff import main

if __name__ == "__main__":
    sys.exit(main())
