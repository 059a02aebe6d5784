"""Rebuild, check or compile the `.proto`: `protobuf.py rebuild | check | compile FOLDER`."""

import sys

from codegen.commands.protobuf import main

if __name__ == "__main__":
    sys.exit(main())
