"""This client on a server of another project that is small enough for a test run: TuFT.

`make servers` runs the other servers, and TuFT if it can't be installed in time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from codegen.documents import load_json
from codegen.paths import TRAFFIC
from codegen.server_differences import load_server_differences, server_problems, unexplained
from conformance.interop.environments import ROOT
from conformance.interop.server_traffic import ServerTraffic, recorded
from conformance.interop.servers import TUFT
from conformance.interop.support_matrix import OURS
from conformance.interop.traffic import TIMED
from tinker_ext.server_check import ALL
from tinker_ext.server_check.runner import Ending, Outcome

if TYPE_CHECKING:
    from pathlib import Path

INSTALL_SECONDS = 240.0
pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(580)]

LEFT = "left to `make servers`: all servers"
# The endings of the steps that this server does not support.
ENDINGS = {
    "load_state": Ending.SERVER_WRONG,  # Its toy backend does not load weights.
    "unpublish": Ending.TYPED_ERROR,  # It always responds with status 500.
    "loss_inputs_missing": Ending.ACCEPTED,  # Its toy backend only reads the targets.
    # Operations that its release does not have.
    "keep_for_an_hour": Ending.TYPED_ERROR,
    "copy_weights": Ending.TYPED_ERROR,
    "save_weights_external": Ending.TYPED_ERROR,
    "external_weights_urls": Ending.LEFT_OUT,
}


def install() -> None:
    """Install in a process group that can be killed together with the installer."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from conformance.interop.servers import TUFT; TUFT.python()"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, output = process.communicate(timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        pytest.skip(f"not installed after {INSTALL_SECONDS:g} s; {LEFT}")
    if process.returncode != 0:
        pytest.skip(f"can't be installed here; {LEFT}\n{output[-500:]}")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Outcome], ServerTraffic]:
    """The outcomes of the steps, and the recorded traffic."""
    install()
    folder: Path = tmp_path_factory.mktemp("tuft")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        with recorded(TUFT, folder) as (server, record):
            results = ALL.run(
                server.checked(), lambda item: print(item.name, item.ending, item.detail)
            )
    print(
        "left to `make servers`: SkyRL and SkyRL tx, which compile for minutes, hatchery, Twinkle"
    )
    return results, ServerTraffic(TUFT.release, OURS, list(record.exchanges))


@pytest.fixture(scope="module")
def outcomes(run: tuple[list[Outcome], ServerTraffic]) -> dict[str, Outcome]:
    return {outcome.name: outcome for outcome in run[0]}


def test_every_step_ends_as_well_as_the_server_allows(outcomes: dict[str, Outcome]) -> None:
    failed = {name: item for name, item in outcomes.items() if item.ending is not Ending.OK}
    assert {name: item.ending for name, item in failed.items()} == ENDINGS, failed
    assert len(outcomes) > 55


def test_the_loss_falls(outcomes: dict[str, Outcome]) -> None:
    first, last = outcomes["train"].detail.split()[1:4:2]
    assert float(last) < 0.8 * float(first)


def test_client_recovers_when_the_server_loses_a_sequence_number(
    outcomes: dict[str, Outcome],
) -> None:
    detail = outcomes["trains_on_after_a_failed_load"].detail
    assert "Sequence conflict" in detail
    assert detail.startswith("at the second try")


def test_responses_confirm_the_specification_as_recorded(
    run: tuple[list[Outcome], ServerTraffic],
) -> None:
    """`make traffic ONLY=tuft` writes the record."""
    summary = run[1].summary
    expected = load_json(TRAFFIC)["servers"]["tuft"]["clients"][OURS]["confirmed"]
    for name in expected.keys() - TIMED:
        assert set(expected[name]) <= set(summary["confirmed"].get(name, ())), name
    problems = server_problems({"tuft": {"clients": {OURS: summary}}})
    assert unexplained(problems, load_server_differences()) == []
