"""Other processes: what they are started with, and whether they are still there."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def bare_environment() -> dict[str, str]:
    """This process's environment without any setting of the client; what it imports is found."""
    environment = {name: value for name, value in os.environ.items() if "TINKER" not in name}
    return {**environment, "PYTHONPATH": os.pathsep.join(sys.path)}


def in_a_fork(work: Callable[[], str]) -> str:
    """What `work` returns in a child of this process."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forking a process with threads, which is what this is about.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            said = work()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        return pipe.read().decode()


def is_gone(pid: int) -> bool:
    """Whether a process has ended; nobody may have taken note of that yet."""
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (ProcessLookupError, FileNotFoundError):
        return True
