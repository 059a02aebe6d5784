"""Which requests the server takes at all: by name, origin, content type and key."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tinker_ext.backend_key import FILE_NAME, new_key, read_key
from tinker_ext.embedded.access import Access
from tinker_ext.embedded.app import build_app
from tinker_ext.embedded.backend import Backend
from tinker_ext.embedded.launch import start_embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.embedded.conftest import Api, OpenApi

    Ask = Callable[..., httpx.Response]

SESSION = b'{"tags": [], "user_metadata": {}, "sdk_version": "x"}'
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with start_embedded(tmp_path_factory.mktemp("state")) as server:
        yield server.url


@pytest.fixture
def ask(url: str) -> Iterator[Ask]:
    with httpx.Client(base_url=f"{url}/api/v1") as http:

        def asked(**headers: str) -> httpx.Response:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return http.post("create_session", content=SESSION, headers=JSON | named)

        yield asked


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80", "10.0.0.7"])
def test_localhost_and_addresses_are_accepted_as_host(ask: Ask, host: str) -> None:
    assert ask(Host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.evil.example", ""],
)
def test_foreign_host_is_refused(ask: Ask, host: str) -> None:
    response = ask(Host=host)
    assert response.status_code == 421
    assert response.json()["detail"].startswith(f"Host {host!r} is not a name of this server")
    assert "--allow-host" in response.json()["detail"]


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
def test_request_of_another_site_is_refused(ask: Ask, headers: dict[str, str]) -> None:
    assert ask(Host="localhost:8765", **headers).status_code == 403


@pytest.mark.parametrize("other", ["Host: evil.example", "Origin: https://evil.example"])
def test_second_header_of_the_name_is_not_overlooked(url: str, other: str) -> None:
    own = {"Host": "Host: localhost", "Origin": "Host: localhost\r\nOrigin: http://localhost"}
    head = f"GET /api/v1/healthz HTTP/1.1\r\n{own[other.partition(':')[0]]}\r\n{other}\r\n\r\n"
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 0), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).split()[1] in (b"400", b"403", b"421")


def test_request_of_the_servers_own_origin_is_accepted(ask: Ask) -> None:
    same = {"Host": "localhost:8765", "Origin": "http://localhost:8765"}
    assert ask(**same, Sec_Fetch_Site="same-origin").status_code == 200


def test_link_that_a_user_follows_is_accepted(url: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert httpx.get(f"{url}/api/v1/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"],
)
def test_content_type_that_forms_can_send_is_refused(ask: Ask, content_type: str) -> None:
    response = ask(Content_Type=content_type)
    assert response.status_code == 415
    assert "expected application/json" in response.json()["detail"]


def test_content_type_may_have_parameters_and_any_case(ask: Ask) -> None:
    assert ask(Content_Type="Application/JSON; charset=utf-8").status_code == 200


def test_missing_content_type_is_refused(url: str) -> None:
    response = httpx.post(f"{url}/api/v1/create_session", content=SESSION)
    assert response.status_code == 415


def test_refusal_reaches_a_client_that_sends_a_large_body(ask: Ask, url: str) -> None:
    large = b" " * 20_000_000
    response = httpx.post(f"{url}/api/v1/create_session", content=large, headers={"Host": "x.y"})
    assert response.status_code == 421


def _asked(app: Any, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765", headers=headers)


async def test_allowed_hosts_and_the_public_url_name_the_server(tmp_path: Path) -> None:
    access = Access(("0.0.0.0", "Tinker.Example."), public_url="https://proxy.example/tinker")
    backend = Backend(tmp_path / "state")
    app = build_app(backend, access=access)
    async with app.router.lifespan_context(app):
        for host, status in (
            ("tinker.example", 200),
            ("proxy.example:443", 200),
            ("other.example", 421),
        ):
            async with _asked(app, Host=host) as http:
                assert (await http.get("/api/v1/healthz")).status_code == status
        async with _asked(app, Host="10.0.0.7", Origin="https://tinker.example") as http:
            assert (await http.get("/api/v1/healthz")).status_code == 200


async def _archive_url(api: Api, **headers: str) -> httpx.Response:
    await api.new_model()
    await api.done("save_weights", model_id=api.model_id, seq_id=1, path="a")
    path = f"/api/v1/training_runs/{api.model_id}/checkpoints/weights/a/archive"
    return await api.http.get(path, headers=headers)


async def test_links_begin_with_the_address_that_is_listened_on(api: Api) -> None:
    response = await _archive_url(
        api, Host="10.9.9.9:1", **{"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    )
    assert response.headers["location"].startswith("http://127.0.0.1:8765/archives/")


async def test_links_begin_with_the_public_url(open_api: OpenApi) -> None:
    public = "https://proxy.example/tinker"
    async with open_api(access=Access(public_url=public)) as api:
        response = await _archive_url(api)
    assert response.headers["location"].startswith(f"{public}/archives/")


async def test_key_is_required_by_every_operation(open_api: OpenApi) -> None:
    key = new_key()
    async with open_api(key=key) as api:
        for sent in ({}, {"X-API-Key": "tml-other"}, {"X-API-Key": f"{key.reveal()}x"}):
            for path in ("healthz", "get_server_capabilities", "training_runs", "sessions"):
                response = await api.http.get(f"/api/v1/{path}", headers=sent)
                assert response.status_code == 401
                assert key.reveal() not in response.text
            response = await api.http.post("/api/v1/auth/token", json={}, headers=sent)
            assert response.status_code == 401
        api.http.headers["X-API-Key"] = key.reveal()
        assert (await api.get("healthz")).status_code == 200
        archive = await _archive_url(api)
        del api.http.headers["X-API-Key"]
        signed = await api.http.get(archive.headers["location"])
        assert signed.status_code == 200, "the signature is enough"


async def test_token_is_given_for_the_key_only(open_api: OpenApi) -> None:
    key = new_key()
    async with open_api(key=key, jwt_life=60) as api:
        for sent, status in (("tml-other", 401), (key.reveal(), 200)):
            response = await api.http.post(
                "/api/v1/auth/token", json={}, headers={"X-API-Key": sent}
            )
            assert response.status_code == status
        token = response.json()["jwt"]
        for sent, status in (("tml-other", 401), (key.reveal(), 200), (token, 200)):
            response = await api.http.post(
                "/api/v1/client/config", json={"sdk_version": "x"}, headers={"X-API-Key": sent}
            )
            assert response.status_code == status
        for sent, status in ((key.reveal(), 401), (token, 200)):
            response = await api.http.get("/api/v1/healthz", headers={"X-API-Key": sent})
            assert response.status_code == status


def test_private_server_keeps_its_key_in_a_file_for_the_owner(tmp_path: Path) -> None:
    key = new_key()
    with start_embedded(tmp_path, key=key) as server:
        file = tmp_path / FILE_NAME
        assert read_key(file) == key
        assert file.stat().st_mode & 0o777 == 0o600
        assert httpx.get(f"{server.url}/api/v1/healthz").status_code == 401
        headers = {"X-API-Key": key.reveal()}
        assert httpx.get(f"{server.url}/api/v1/healthz", headers=headers).status_code == 200
        assert key.reveal() not in server.log_path.read_text()


def test_only_the_key_of_a_backend_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "anything"
    assert read_key(file) is None
    for content in (b"", b"tml-of-a-user", b"\xff", new_key().reveal().encode() + b"\nmore"):
        file.write_bytes(content)
        assert read_key(file) is None
