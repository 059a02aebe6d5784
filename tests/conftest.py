"""Isolates the tests from the environment, and searches their logs for keys."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tinker_ext.config import credentials_file
from tinker_ext.config import parsers as setting_readers
from tinker_ext.embedded.engine.threads import limit_blas_threads

# Small matrix products take several times as long with several BLAS threads, above all next to
# other work; the embedded backend limits them, too. numpy reads the variables when it is imported.
limit_blas_threads(os.environ)

# The speed of the machine must not decide the outcome.
settings.register_profile(
    "any speed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any speed")

# A shell without job control starts background commands with SIGINT ignored. The processes that the
# tests start and interrupt would inherit that.
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
    """Each HTTP transport. The layers above must behave the same with both."""
    return str(request.param)


# The keys in the tests match this, and the log is captured at every level (pyproject.toml). The
# last three alternatives are "PLANTED" in base64, after zero, one and two other bytes.
_KEY = re.compile(
    r"tml-\w[\w-]+|\w*P(?:LANTED|%4[cC]ANTED|\\+u004[cC])\w*|UExBTlRFR|BMQU5URU|QTEFOVEVE"
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail every test whose log or output contains a key."""
    report = yield
    if report.when == "teardown" and report.passed:
        for title, text in report.sections:
            if result := _KEY.search(text):
                report.outcome = "failed"
                around = text[max(0, result.start() - 200) : result.end() + 20]
                report.longrepr = f"{title} shows a key: {around}"
    return report
