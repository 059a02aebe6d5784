"""Fixtures that give each test its own spans, and stop recordings after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.tracing.sdk import Sdk, recording_sdk
from tinker_ext import tracing


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    with recording_sdk() as running:
        yield running


@pytest.fixture(autouse=True)
def no_recording() -> Iterator[None]:
    yield
    tracing.stop_recording()
