"""This client put through everything it can do on a server that others wrote.

`steps`, `sampling_steps`, `later_steps`, `upkeep_steps` are a user's day and `mistakes` what goes
wrong in it; `driver` runs them in order and tells how each ended. How servers are installed and
started is in `scripts/interop/servers.py`; nothing here knows one by its name.
"""

from __future__ import annotations

from tests.interop.servers.later_steps import LATER
from tests.interop.servers.mistakes import MISTAKES
from tests.interop.servers.sampling_steps import SAMPLING
from tests.interop.servers.steps import TRAINING
from tests.interop.servers.upkeep_steps import UPKEEP

__all__ = ["ALL"]

#: Deleting comes last.
ALL = TRAINING + SAMPLING + MISTAKES + LATER + UPKEEP
