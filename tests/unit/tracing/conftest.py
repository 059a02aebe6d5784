"""Fixtures that give each test its own spans, and stop recordings after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.tracing.sdk import Sdk, recording_sdk
from tinker_ext import tracing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    with recording_sdk() as running:
        yield running


@pytest.fixture(autouse=True)
def no_recording() -> Iterator[None]:
    yield
    tracing.stop_recording()
