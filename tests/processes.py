"""Environments of other processes, forks, and checks that a process has ended."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path


def bare_environment() -> dict[str, str]:
    """The environment without settings of the client, with the import path of this process."""
    environment = {name: value for name, value in os.environ.items() if "TINKER" not in name}
    return {**environment, "PYTHONPATH": os.pathsep.join(sys.path)}


def in_a_fork(work: Callable[[], str]) -> str:
    """Call `work` in a forked child and return its result, or its error as text."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns about forking a process with threads, which the tests do on purpose.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            result = work()
        except BaseException as error:
            result = f"{type(error).__name__}: {error}"
        os.write(writing, result.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        return pipe.read().decode()


def is_gone(pid: int) -> bool:
    """Whether a process has ended, including a zombie that its parent has not waited for."""
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (ProcessLookupError, FileNotFoundError):
        return True
