"""Report whether PyPI has a newer release than those kept (`make watch`)."""

import sys

from codegen.commands.watch import main

if __name__ == "__main__":
    sys.exit(main())
