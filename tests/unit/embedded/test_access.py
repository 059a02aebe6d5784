"""Requests are accepted or rejected by host, origin, content type and key."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tinker_ext.embedded.access import Access
from tinker_ext.embedded.app import build_app
from tinker_ext.embedded.backend import Backend
from tinker_ext.embedded.launch import start_embedded
from tinker_ext.private_files import BACKEND_KEY_FILE, new_backend_key, read_backend_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.embedded.conftest import Api, OpenApi

    Send = Callable[..., httpx.Response]

SESSION = b'{"tags": [], "user_metadata": {}, "sdk_version": "x"}'
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with start_embedded(tmp_path_factory.mktemp("state")) as server:
        yield server.url


@pytest.fixture
def send(url: str) -> Iterator[Send]:
    with httpx.Client(base_url=f"{url}/api/v1") as http:

        def post(**headers: str) -> httpx.Response:
            dashed = {name.replace("_", "-"): value for name, value in headers.items()}
            return http.post("create_session", content=SESSION, headers=JSON | dashed)

        yield post


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80", "10.0.0.7"])
def test_localhost_and_addresses_are_accepted_as_host(send: Send, host: str) -> None:
    assert send(Host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8765",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "[::1].evil.example",
        "[::1]evil.example",
        "localhost:80.evil.example",
        "127.0.0.1:80@evil.example",
        "user@localhost",
        "::1",
        "[::1",
        "",
    ],
)
def test_foreign_host_returns_421(send: Send, host: str) -> None:
    response = send(Host=host)
    assert response.status_code == 421
    assert response.json()["detail"].startswith(f"Host {host!r} is not a name of this server")
    assert "--allow-host" in response.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v1/healthz/", 404), ("GET", "/unknown", 404), ("PUT", "/api/v1/healthz", 405)],
)
def test_unknown_path_or_method_is_checked_and_never_redirected(
    url: str, method: str, path: str, status: int
) -> None:
    for headers, expected in (
        ({"Host": "localhost"}, status),
        ({"Host": "evil.example"}, 421),
        ({"Host": "localhost", "Origin": "https://evil.example"}, 403),
    ):
        response = httpx.request(method, f"{url}{path}", headers=headers)
        assert response.status_code == expected
        assert "location" not in response.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "file://localhost"},
        {"Origin": ""},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors"},
    ],
)
def test_request_from_another_site_returns_403(send: Send, headers: dict[str, str]) -> None:
    assert send(Host="localhost:8765", **headers).status_code == 403


@pytest.mark.parametrize("other", ["Host: evil.example", "Origin: https://evil.example"])
def test_repeated_host_or_origin_header_is_rejected(url: str, other: str) -> None:
    own = {"Host": "Host: localhost", "Origin": "Host: localhost\r\nOrigin: http://localhost"}
    head = f"GET /api/v1/healthz HTTP/1.1\r\n{own[other.partition(':')[0]]}\r\n{other}\r\n\r\n"
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 0), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).split()[1] in (b"400", b"403", b"421")


def test_same_origin_request_is_accepted(send: Send) -> None:
    same = {"Host": "localhost:8765", "Origin": "http://localhost:8765"}
    assert send(**same, Sec_Fetch_Site="same-origin").status_code == 200


def test_cross_site_navigation_is_accepted(url: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert httpx.get(f"{url}/api/v1/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"],
)
def test_content_type_of_html_forms_returns_415(send: Send, content_type: str) -> None:
    response = send(Content_Type=content_type)
    assert response.status_code == 415
    assert "expected application/json" in response.json()["detail"]


def test_content_type_may_have_parameters_and_any_case(send: Send) -> None:
    assert send(Content_Type="Application/JSON; charset=utf-8").status_code == 200


def test_missing_content_type_returns_415(url: str) -> None:
    response = httpx.post(f"{url}/api/v1/create_session", content=SESSION)
    assert response.status_code == 415


def test_rejected_client_gets_the_response_while_sending_a_large_body(send: Send, url: str) -> None:
    large = b" " * 20_000_000
    response = httpx.post(f"{url}/api/v1/create_session", content=large, headers={"Host": "x.y"})
    assert response.status_code == 421


def _client(app: Any, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765", headers=headers)


async def test_allowed_hosts_and_public_url_are_accepted_as_host(tmp_path: Path) -> None:
    access = Access(("0.0.0.0", "Tinker.Example."), public_url="https://proxy.example/tinker")
    backend = Backend(tmp_path / "state")
    app = build_app(backend, access=access)
    async with app.router.lifespan_context(app):
        for host, status in (
            ("tinker.example", 200),
            ("proxy.example:443", 200),
            ("other.example", 421),
        ):
            async with _client(app, Host=host) as http:
                assert (await http.get("/api/v1/healthz")).status_code == status
        async with _client(app, Host="10.0.0.7", Origin="https://tinker.example") as http:
            assert (await http.get("/api/v1/healthz")).status_code == 200


async def _archive_url(api: Api, **headers: str) -> httpx.Response:
    await api.new_model()
    await api.done("save_weights", model_id=api.model_id, seq_id=1, path="a")
    path = f"/api/v1/training_runs/{api.model_id}/checkpoints/weights/a/archive"
    return await api.http.get(path, headers=headers)


async def test_links_start_with_the_listening_address(api: Api) -> None:
    response = await _archive_url(
        api, Host="10.9.9.9:1", **{"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    )
    assert response.headers["location"].startswith("http://127.0.0.1:8765/archives/")


async def test_links_start_with_public_url(open_api: OpenApi) -> None:
    public = "https://proxy.example/tinker"
    async with open_api(access=Access(public_url=public)) as api:
        response = await _archive_url(api)
    assert response.headers["location"].startswith(f"{public}/archives/")


async def test_key_is_required_by_every_operation(open_api: OpenApi) -> None:
    key = new_backend_key()
    async with open_api(key=key) as api:
        for credentials in ({}, {"X-API-Key": "tml-other"}, {"X-API-Key": f"{key.reveal()}x"}):
            for path in ("healthz", "get_server_capabilities", "training_runs", "sessions"):
                response = await api.http.get(f"/api/v1/{path}", headers=credentials)
                assert response.status_code == 401
                assert key.reveal() not in response.text
            response = await api.http.post("/api/v1/auth/token", json={}, headers=credentials)
            assert response.status_code == 401
        api.http.headers["X-API-Key"] = key.reveal()
        assert (await api.get("healthz")).status_code == 200
        archive = await _archive_url(api)
        del api.http.headers["X-API-Key"]
        signed = await api.http.get(archive.headers["location"])
        assert signed.status_code == 200, "the signature replaces the key"


async def test_token_is_issued_for_the_key_only(open_api: OpenApi) -> None:
    key = new_backend_key()
    async with open_api(key=key, jwt_lifetime=60) as api:
        for credential, status in (("tml-other", 401), (key.reveal(), 200)):
            response = await api.http.post(
                "/api/v1/auth/token", json={}, headers={"X-API-Key": credential}
            )
            assert response.status_code == status
        token = response.json()["jwt"]
        for credential, status in (("tml-other", 401), (key.reveal(), 200), (token, 200)):
            response = await api.http.post(
                "/api/v1/client/config",
                json={"sdk_version": "x"},
                headers={"X-API-Key": credential},
            )
            assert response.status_code == status
        for credential, status in ((key.reveal(), 401), (token, 200)):
            response = await api.http.get("/api/v1/healthz", headers={"X-API-Key": credential})
            assert response.status_code == status


def test_server_writes_its_key_to_a_private_file(tmp_path: Path) -> None:
    key = new_backend_key()
    with start_embedded(tmp_path, key=key) as server:
        file = tmp_path / BACKEND_KEY_FILE
        assert read_backend_key(file) == key
        assert file.stat().st_mode & 0o777 == 0o600
        assert httpx.get(f"{server.url}/api/v1/healthz").status_code == 401
        headers = {"X-API-Key": key.reveal()}
        assert httpx.get(f"{server.url}/api/v1/healthz", headers=headers).status_code == 200
        assert key.reveal() not in server.log_path.read_text()


def test_read_key_ignores_other_content(tmp_path: Path) -> None:
    file = tmp_path / "anything"
    assert read_backend_key(file) is None
    for content in (
        b"",
        b"tml-of-a-user",
        b"\xff",
        new_backend_key().reveal().encode() + b"\nmore",
    ):
        file.write_bytes(content)
        assert read_backend_key(file) is None
