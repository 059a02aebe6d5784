"""All operations of this client, on any server.

`steps`, `sampling_steps`, `later_steps` and `upkeep_steps` use the operations, `mistakes` makes
deliberate errors, and `driver` runs the steps in order and classifies their outcomes. Installing
and starting servers is in `conformance/interop/servers.py`; no step depends on a particular server.
"""

from __future__ import annotations

from tests.interop.servers.later_steps import LATER
from tests.interop.servers.mistakes import MISTAKES
from tests.interop.servers.sampling_steps import SAMPLING
from tests.interop.servers.steps import TRAINING
from tests.interop.servers.upkeep_steps import UPKEEP

__all__ = ["ALL"]

#: Deleting is last.
ALL = TRAINING + SAMPLING + MISTAKES + LATER + UPKEEP
