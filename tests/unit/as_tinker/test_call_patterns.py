"""The call patterns of public programs hold under the alias, on the embedded backend.

They run in one process, in this order; `make cookbook` runs them with the official SDK as well.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

import pytest

from conformance.cookbook.call_patterns import KNOWN_DIFFERENCES, MODULES, names, run_patterns
from tinker_ext.embedded.launch import start_embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

HAS_TORCH = importlib.util.find_spec("torch") is not None
RUN = [name for name in MODULES if HAS_TORCH or name != "custom_losses"]


@pytest.fixture(scope="module")
def errors() -> Iterator[dict[str, str | None]]:
    """The error of each pattern, None if it holds."""
    with start_embedded() as server:
        yield run_patterns(sys.executable, server.url, *RUN, alias=True)


@pytest.mark.parametrize("name", names(*RUN))
def test_pattern_holds_or_raises_the_documented_error(
    name: str, errors: dict[str, str | None]
) -> None:
    error = errors[name]
    if name not in KNOWN_DIFFERENCES:
        assert error is None
        return
    beginning, alternative = KNOWN_DIFFERENCES[name]
    assert (error or "").startswith(beginning)
    assert alternative


def test_known_differences_are_patterns() -> None:
    assert set(KNOWN_DIFFERENCES) <= set(names(*MODULES))
    assert len(names(*MODULES)) >= 50
