"""What must survive the process, in one SQLite file: a class for each table, and the records."""

from tinker_ext.embedded.store.checkpoints import CheckpointRecord, CheckpointTable
from tinker_ext.embedded.store.database import Database
from tinker_ext.embedded.store.requests import RequestRecord, RequestTable
from tinker_ext.embedded.store.runs import RunRecord, RunTable
from tinker_ext.embedded.store.samplers import SamplerRecord, SamplerTable
from tinker_ext.embedded.store.sessions import SessionRecord, SessionTable

__all__ = [
    "CheckpointRecord",
    "CheckpointTable",
    "Database",
    "RequestRecord",
    "RequestTable",
    "RunRecord",
    "RunTable",
    "SamplerRecord",
    "SamplerTable",
    "SessionRecord",
    "SessionTable",
]
