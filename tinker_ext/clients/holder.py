"""The part of the official SDK's internal client holder that programs use."""

from enum import Enum


class ClientConnectionPoolType(Enum):
    SESSION = "session"
