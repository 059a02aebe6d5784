"""Checks a server: runs all operations of this client on it, and deliberate mistakes.

`tinker-ext check-server` runs the steps on one server, `make servers` on several. No step depends
on a particular server.

    runner        runs the steps in order, each with a time limit, and summarizes their outcomes
    model_steps   create, train, save, load, and sample from the trained weights and the base model
    server_steps  requests that a server must reject, operations of later releases, checkpoints
"""

from __future__ import annotations

from tinker_ext.server_check.model_steps import MODEL_STEPS
from tinker_ext.server_check.runner import CheckedServer
from tinker_ext.server_check.server_steps import SERVER_STEPS

__all__ = ["ALL", "CheckedServer"]

#: Deleting is last.
ALL = MODEL_STEPS + SERVER_STEPS
