"""Nothing of the environment the tests run in may decide their outcome."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tinker_ext import stored_login

# How fast this machine happens to be is no property of the code.
settings.register_profile(
    "any speed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any speed")

# A shell without job control starts what it puts in the background with Ctrl-C ignored, and so are
# then the processes that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("TINKER_", "CLOUDFLARE_ACCESS_", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(stored_login, "CREDENTIALS_FILE", Path(os.devnull) / "no credentials")
