"""Stands in for grpc, which 0.21.0 to 0.22.1 import for a second way to fetch results."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

__version__ = "1.85.1"


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return MagicMock(name=name)
