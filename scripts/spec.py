"""Build the specification in `openapi/`: `python scripts/spec.py [RELEASE ...]` (`make spec`)."""

import sys

from codegen.commands.spec import main

if __name__ == "__main__":
    sys.exit(main())
