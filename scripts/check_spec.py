"""Check that `openapi/` matches its sources (`make check-spec`)."""

import sys

from codegen.commands.check_spec import main

if __name__ == "__main__":
    sys.exit(main())
