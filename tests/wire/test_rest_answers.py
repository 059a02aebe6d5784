"""REST operations: how responses are handled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

import tinker_ext as tinker
from tests.builders import web_token
from tinker_ext import types
from tinker_ext.clients.rest.client import TRACE_EXPORT_INTERVAL
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "tinker://run-1/weights/a"
OUTSIDE = "tinker://run-1/external_weights/a"
DAY = datetime(2026, 1, 1, tzinfo=UTC)
SEARCH = types.SessionSearchRequest(display_name="nightly")


@pytest.fixture
def rest(server: FakeServer) -> Iterator[tinker.RestClient]:
    with make_client(server) as opened:
        yield opened.create_rest_client()


def test_trace_export_is_polled_until_ready(server: FakeServer) -> None:
    time = SimulatedTime()
    server.respond("get_session_trace_export", *[Reply(200, {"status": "pending"})] * 3)
    with make_client(server, clock=time.clock) as service:
        url = service.create_rest_client().export_session_trace("s").result(10)
    assert url.startswith("https://storage.invalid/")
    assert time.slept == [TRACE_EXPORT_INTERVAL] * 3


def test_failed_trace_export_raises(server: FakeServer, rest: tinker.RestClient) -> None:
    server.respond(
        "get_session_trace_export", Reply(200, {"status": "failed", "error": "too large"})
    )
    with pytest.raises(tinker.RequestFailedError, match="too large"):
        rest.export_session_trace("s").result(10)
    server.respond("get_session_trace_export", Reply(200, {"status": "ready"}))
    with pytest.raises(tinker.APIResponseValidationError, match="the response has no url"):
        rest.export_session_trace("s").result(10)


def test_trace_export_that_is_never_ready_times_out(server: FakeServer) -> None:
    time = SimulatedTime()
    server.respond_always("get_session_trace_export", Reply(200, {"status": "pending"}))
    with (
        make_client(server, clock=time.clock, future_timeout=60) as service,
        pytest.raises(tinker.DeadlineExceededError, match="pending") as caught,
    ):
        service.create_rest_client().export_session_trace("s").result(10)
    assert caught.value.deadline == 60
    assert 50 <= time.passed <= 60


class Pointing(FakeServer):
    """Redirects to a storage that holds the audit log, like the hosted service."""

    def __init__(self, location: str) -> None:
        super().__init__()
        self.location = location
        self.stored: list[httpx.Request] = []
        self.storage = httpx.Response(
            200, json={"entries": [{"timestamp": "2026-01-01T00:00:00Z", "event": "made"}]}
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "storage.invalid":
            self.stored.append(request)
            return self.storage
        if request.url.path.endswith("/audit"):
            return httpx.Response(302, headers={"location": self.location})
        return await super().handle_async_request(request)


SIGNED = "https://storage.invalid/log.json?signature=0123456789abcdef"


def test_audit_log_redirect_is_followed_without_the_key() -> None:
    server = Pointing(SIGNED)
    with make_client(server, api_key="tml-secret", base_url="https://fake.invalid") as service:
        read = service.create_admin_client().get_audit_log().result(10)
    assert [entry.event for entry in read.entries] == ["made"]
    [request] = server.stored
    assert str(request.url) == SIGNED
    assert "tml-secret" not in str(request.headers)


def test_rejected_signed_url_raises_without_the_signature() -> None:
    server = Pointing(SIGNED)
    server.storage = httpx.Response(403, text="bad signature 0123456789abcdef")
    with (
        make_client(server, base_url="https://fake.invalid") as service,
        pytest.raises(tinker.PermissionDeniedError) as caught,
    ):
        service.create_admin_client().get_audit_log().result(10)
    assert "0123456789abcdef" not in f"{caught.value} {caught.value.body}"


@pytest.mark.parametrize("location", ["http://storage.invalid/log", "file:///etc/passwd"])
def test_redirect_from_https_to_http_is_not_followed(location: str) -> None:
    server = Pointing(location)
    with (
        make_client(server, base_url="https://fake.invalid") as service,
        pytest.raises(tinker.APIStatusError) as caught,
    ):
        service.create_admin_client().get_audit_log().result(10)
    assert caught.value.status_code == 302
    assert not server.stored


async def test_async_methods_return_values(server: FakeServer) -> None:
    with make_client(server) as service:
        rest, admin = service.create_rest_client(), service.create_admin_client()
        assert (await rest.get_server_capabilities_async()).supported_models
        assert (await rest.get_session_async("s")).training_run_ids == ["run-1"]
        assert (await rest.list_sessions_async()).sessions == ["session-1"]
        assert (await rest.search_sessions_async(SEARCH)).sessions[0].owner == "me"
        await rest.assign_session_project_async("s", "p")
        assert (await rest.export_session_trace_async("s")).startswith("https://")
        assert (await rest.get_sampler_async("s")).base_model == "fake/model"
        assert (await rest.get_weights_info_by_tinker_path_async(PATH)).lora_rank == 8
        assert (await rest.get_external_weights_urls_async(OUTSIDE)).expires == DAY
        await rest.set_checkpoint_ttl_from_tinker_path_async(PATH, 9)
        assert await rest.copy_weights_async(PATH, "p") == "tinker://run-2/weights/a"
        assert (await admin.get_audit_log_async()).entries[0].event == "checkpoint_saved"
        usage = await admin.get_billing_usage_async(DAY, DAY + timedelta(hours=1))
        assert usage.data[0].event_info == types.TrainingBillingEvent(7)
        storage = await admin.get_current_checkpoint_storage_usage_async()
        assert storage.data[0].size_gigabytes == 1.0


def test_client_may_have_its_own_connection() -> None:
    rest = tinker.RestClient(base_url="http://127.0.0.1:9", api_key="tml-x", retry_window=0.1)
    with pytest.raises(tinker.APIConnectionError):
        rest.list_sessions().result(10)
    with pytest.raises(TypeError, match="not both"):
        tinker.AdminClient(rest._core, api_key="tml-y")


CLAIMS = {"sub": "tml:organization_user:7", "org_id": "9", "email": "me@example.org"}
ME = types.WhoamiResponse("tml:organization_user:7", "tml:organization:9", "me@example.org")


def test_whoami_reads_the_exchanged_token(server: FakeServer, rest: tinker.RestClient) -> None:
    server.respond("create_auth_token", Reply(200, {"jwt": web_token(CLAIMS)}))
    assert rest.whoami().result(10) == ME
    [exchange] = server.calls("create_auth_token")
    assert exchange.body == {}
    server.respond("create_auth_token", Reply(200, {"jwt": web_token({**CLAIMS, "email": ""})}))
    assert rest.whoami().result(10).email is None


async def test_whoami_reads_a_token_key_without_a_request(server: FakeServer) -> None:
    with make_client(server, api_key=web_token(CLAIMS)) as service:
        assert await service.create_rest_client().whoami_async() == ME
    assert not server.calls("create_auth_token")


def test_token_without_a_subject_raises_without_showing_it(
    server: FakeServer, rest: tinker.RestClient
) -> None:
    token = web_token({"sub": "x"})
    server.respond("create_auth_token", Reply(200, {"jwt": token}))
    with pytest.raises(
        tinker.APIResponseValidationError, match="the token has no sub or org_id claim"
    ) as caught:
        rest.whoami().result(10)
    assert token not in f"{caught.value} {caught.value.body}"
    server.respond("create_auth_token", Reply(404, {"detail": "Not Found"}))
    with pytest.raises(tinker.APIResponseValidationError, match="HTTP 404"):
        rest.whoami().result(10)
