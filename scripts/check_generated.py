"""Check that `generated/` matches the specification (`make check-generated`)."""

import sys

from codegen.commands.check_generated import main

if __name__ == "__main__":
    sys.exit(main())
