"""Compare contracts with the official packages: `python scripts/oracle.py` (`make oracle`)."""

import sys

from conformance.oracle.command import main

if __name__ == "__main__":
    sys.exit(main())
