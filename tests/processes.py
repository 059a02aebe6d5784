"""Other processes: what they are started with, and whether they are still there."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def bare_environment() -> dict[str, str]:
    """This process's environment without any setting of the client; what it imports is found."""
    environment = {name: value for name, value in os.environ.items() if "TINKER" not in name}
    return {**environment, "PYTHONPATH": os.pathsep.join(sys.path)}


def is_gone(pid: int) -> bool:
    """Whether a process has ended; nobody may have taken note of that yet."""
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (ProcessLookupError, FileNotFoundError):
        return True
