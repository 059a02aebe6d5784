"""What other interpreters are started with."""

from __future__ import annotations

import os
import sys


def bare_environment() -> dict[str, str]:
    """This process's environment without any setting of the client; what it imports is found."""
    environment = {name: value for name, value in os.environ.items() if "TINKER" not in name}
    return {**environment, "PYTHONPATH": os.pathsep.join(sys.path)}
