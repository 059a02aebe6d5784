"""Retry settings of one sampling client, with the names of the official SDK."""

from __future__ import annotations

import asyncio

from attrs import define, field

from tinker_ext.errors import APIConnectionError, InvalidInputError
from tinker_ext.rules.retry import BACKOFF_BASE, BACKOFF_CAP


@define
class RetryConfig:
    max_connections: int | None = 1000
