"""An in-memory server and its client, and a check of requests against a release's specification."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tinker_ext as tinker
from tests.wire.raw_server import authority
from tinker_ext.embedded.protocols import specification_of
from tinker_ext.testing import FakeServer, Received, make_client

Fits = Callable[[Received, str], None]


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def service(server: FakeServer) -> Iterator[tinker.ServiceClient]:
    with make_client(server) as client:
        yield client


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Trusts the certificates of RawServer."""
    certificate = tmp_path / "authority.pem"
    authority().cert_pem.write_to_path(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.fixture(scope="session")
def fits() -> Fits:
    """Fails if a request does not match the specification of the protocol's release."""

    def check(received: Received, dialect: str) -> None:
        operation = specification_of(dialect).operations[received.operation]
        assert received.method == operation.method
        operation.query(received.query)
        if operation.takes_body:
            operation.check(received.body)

    return check
