"""Generate the bindings in `generated/tinker_api` (`make generate`)."""

import sys

from codegen.commands.generate import main

if __name__ == "__main__":
    sys.exit(main())
