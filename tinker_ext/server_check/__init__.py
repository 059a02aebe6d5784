"""Checks a server: runs all operations of this client on it, and deliberate mistakes.

`tinker-ext check-server` runs the steps on one server, `make servers` on several. No step depends
on a particular server.

    outcomes          the result of one step
    runner            runs the steps in order, each with a time limit
    training_steps    create, train, save, load
    sampling_steps    sample from the trained weights and from the base model
    mistakes          requests that a server must reject
    later_steps       operations that later releases than 0.4.1 added
    checkpoint_steps  list, publish, download and delete
    summary           the capabilities of a server, and the failed steps
"""

from __future__ import annotations

from tinker_ext.server_check.checkpoint_steps import CHECKPOINTS
from tinker_ext.server_check.later_steps import LATER
from tinker_ext.server_check.mistakes import MISTAKES
from tinker_ext.server_check.runner import CheckedServer
from tinker_ext.server_check.sampling_steps import SAMPLING
from tinker_ext.server_check.training_steps import TRAINING

__all__ = ["ALL", "CheckedServer"]

#: Deleting is last.
ALL = TRAINING + SAMPLING + MISTAKES + LATER + CHECKPOINTS
