"""This client on a server that others wrote, as far as that fits into a run of the tests.

TuFT is small enough. What else there is, and this one where it can't be installed in time, is left
to `make servers`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from interop.environments import ROOT
from interop.outcomes import Ending, Outcome
from interop.servers import TUFT, running

from tests.interop.servers import ALL

if TYPE_CHECKING:
    from pathlib import Path

INSTALL_SECONDS = 240.0
pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(580)]

LEFT = "left to `make servers`: TuFT, SkyRL tx"
# What this server can't do, and how that ends.
ENDINGS = {
    "load_state": Ending.SERVER_WRONG,  # Its toy backend loads nothing.
    "unpublish": Ending.TYPED_ERROR,  # It answers 500, always.
    "loss_inputs_missing": Ending.ACCEPTED,  # Its toy backend looks at targets only.
    # Not in its release.
    "keep_for_an_hour": Ending.TYPED_ERROR,
    "copy_weights": Ending.TYPED_ERROR,
    "save_weights_external": Ending.TYPED_ERROR,
    "external_weights_urls": Ending.LEFT_OUT,
}


def install() -> None:
    """In a process of its own, which can be ended with the installer that it starts."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from interop.servers import TUFT; TUFT.python()"],
        cwd=ROOT / "scripts",
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        pytest.skip(f"not installed after {INSTALL_SECONDS:g} s; {LEFT}")
    if process.returncode != 0:
        pytest.skip(f"can't be installed here; {LEFT}\n{said[-500:]}")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    install()
    folder: Path = tmp_path_factory.mktemp("tuft")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        with running(TUFT, folder) as server:
            found = ALL.run(server, lambda one: print(one.name, one.ending, one.words))
    print("left to `make servers`: SkyRL tx, whose compiling takes minutes")
    return {one.name: one for one in found}


def test_every_step_ends_as_well_as_the_server_allows(outcomes: dict[str, Outcome]) -> None:
    other = {name: one for name, one in outcomes.items() if one.ending is not Ending.OK}
    assert {name: one.ending for name, one in other.items()} == ENDINGS, other
    assert len(outcomes) > 55


def test_the_loss_falls(outcomes: dict[str, Outcome]) -> None:
    first, last = outcomes["train"].words.split()[1:4:2]
    assert float(last) < 0.8 * float(first)


def test_a_server_that_loses_count_is_followed(outcomes: dict[str, Outcome]) -> None:
    words = outcomes["trains_on_after_a_failed_load"].words
    assert "Sequence conflict" in words
    assert words.startswith("at the second try")
