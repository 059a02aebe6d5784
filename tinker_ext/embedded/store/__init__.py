"""State that survives a restart, in one SQLite file: a class for each table, and its records."""

from tinker_ext.embedded.store.database import Database
from tinker_ext.embedded.store.records import (
    CheckpointRecord,
    LoraRecord,
    RequestRecord,
    RunRecord,
    SamplerRecord,
    SessionRecord,
)
from tinker_ext.embedded.store.tables import (
    CheckpointTable,
    RequestTable,
    RunTable,
    SamplerTable,
    SessionTable,
)

__all__ = [
    "CheckpointRecord",
    "CheckpointTable",
    "Database",
    "LoraRecord",
    "RequestRecord",
    "RequestTable",
    "RunRecord",
    "RunTable",
    "SamplerRecord",
    "SamplerTable",
    "SessionRecord",
    "SessionTable",
]
