"""Publish a revision of the specification: `python scripts/revision.py` (`make revision`)."""

import sys

from codegen.commands.revision import main

if __name__ == "__main__":
    sys.exit(main())
