"""Nothing of the environment the tests run in may decide their outcome."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tinker_ext.config import credentials_file
from tinker_ext.config import parsers as setting_readers
from tinker_ext.embedded.engine.threads import limit_blas_threads

if TYPE_CHECKING:
    from collections.abc import Generator

# As the embedded backend does for itself: with threads of their own, small products take several
# times as long, above all beside other work. numpy reads this when it is imported, after this.
limit_blas_threads(os.environ)

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
        if name.startswith(("TINKER_", "CLOUDFLARE_ACCESS_", "OTEL_", "SSL_CERT_")) or (
            name.lower().endswith("_proxy")
        ):
            monkeypatch.delenv(name)
    monkeypatch.setattr(credentials_file, "CREDENTIALS_FILE", Path(os.devnull) / "no credentials")


@pytest.fixture(params=setting_readers.HTTP_TRANSPORTS)
def http_transport(request: pytest.FixtureRequest) -> str:
    """Each of what HTTP can go over: whatever is above must not notice."""
    return str(request.param)


# The keys that tests use look like keys, and the log is kept at every level (pyproject.toml). The
# last three are "PLANTED" in base64, behind none, one and two bytes.
_KEY = re.compile(
    r"tml-\w[\w-]+|\w*P(?:LANTED|%4[cC]ANTED|\\+u004[cC])\w*|UExBTlRFR|BMQU5URU|QTEFOVEVE"
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose log or output shows a key, whatever it is about."""
    report = yield
    if report.when == "teardown" and report.passed:
        for title, text in report.sections:
            if result := _KEY.search(text):
                report.outcome = "failed"
                around = text[max(0, result.start() - 200) : result.end() + 20]
                report.longrepr = f"{title} shows a key: {around}"
    return report
