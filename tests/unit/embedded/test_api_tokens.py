"""Tokens are issued for keys, and accepted exclusively if the server requires them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from tests.unit.embedded.conftest import Api, OpenApi
from tinker_ext.embedded.app import build_app
from tinker_ext.embedded.backend import Backend
from tinker_ext.embedded.tokens import DEFAULT_LIFETIME

KEY = "any-key-at-all"


async def exchange(api: Api, key: str = KEY) -> str:
    response = await api.http.post("/api/v1/auth/token", json={}, headers={"X-API-Key": key})
    assert response.status_code == 200
    token: str = response.json()["jwt"]
    return token


async def create_session(api: Api, key: str | None, body: Any = None) -> httpx.Response:
    headers = {} if key is None else {"X-API-Key": key}
    body = {"tags": [], "user_metadata": {}, "sdk_version": "test"} if body is None else body
    return await api.http.post("/api/v1/create_session", json=body, headers=headers)


def claims(token: str) -> dict[str, Any]:
    result: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return result


async def test_tokens_not_required_any_key_is_accepted(api: Api) -> None:
    flags = (await api.post("client/config", sdk_version="x")).json()
    assert flags["pjwt_auth_enabled"] is False
    token = await exchange(api)
    for key in (None, KEY, token):
        assert (await create_session(api, key)).status_code == 200
    content = claims(token)
    # Without pytest.approx, which uses numpy, because a backend thread may be importing it.
    assert abs(content["exp"] - content["iat"] - DEFAULT_LIFETIME) <= 1
    assert KEY not in str(content)
    assert await exchange(api) != token


async def test_create_auth_token_without_key_returns_401(api: Api) -> None:
    assert (await api.post("auth/token")).status_code == 401


async def test_tokens_required_only_valid_token_is_accepted(open_api: OpenApi) -> None:
    async with open_api("0.38", jwt_lifetime=1) as api:
        flags = (await api.post("client/config", sdk_version="x")).json()
        assert flags["pjwt_auth_enabled"] is True
        token = await exchange(api)
        assert (await create_session(api, token)).status_code == 200
        assert (await api.get("healthz")).status_code == 401
        assert (await api.get("sessions")).status_code == 401
        forged = jwt.encode(claims(token), "x" * 32, algorithm="HS256")
        unsigned = jwt.encode(claims(token), "", algorithm="none")
        for invalid in (None, "", KEY, forged, unsigned, token[:-2]):
            rejected = await create_session(api, invalid)
            assert rejected.status_code == 401
            assert rejected.headers["www-authenticate"] == 'Bearer error="invalid_token"'
            assert not invalid or invalid not in rejected.text
        # The token is checked before the body.
        assert (await create_session(api, KEY, {"nonsense": 1})).status_code == 401
        assert (await create_session(api, token, {"nonsense": 1})).status_code == 422
        await asyncio.sleep(max(0.0, claims(token)["exp"] - time.time()) + 0.05)
        assert (await create_session(api, token)).status_code == 401
        assert (await create_session(api, await exchange(api))).status_code == 200


async def test_token_is_valid_after_restart(open_api: OpenApi) -> None:
    async with open_api(jwt_lifetime=60) as api:
        token = await exchange(api)
    async with open_api(jwt_lifetime=60) as api:
        assert (await create_session(api, token)).status_code == 200


async def test_request_rejected_with_401_does_not_use_its_seq_id(open_api: OpenApi) -> None:
    async with open_api(jwt_lifetime=60, missing_seq_timeout=0.1) as api:
        api.http.headers["X-API-Key"] = await exchange(api)
        await api.new_model()
        body = api.batch(1)
        rejected = await api.http.post(
            "/api/v1/forward_backward", json=body, headers={"X-API-Key": KEY}
        )
        assert rejected.status_code == 401
        assert (await api.forward_backward(1))["metrics"]
        assert (await api.optim_step(2))["metrics"] is not None


async def test_protocol_without_tokens_cannot_require_them(tmp_path: Path) -> None:
    backend = Backend(tmp_path / "state", jwt_lifetime=60)
    with pytest.raises(RuntimeError, match=r"release 0\.4\.1 has no tokens to demand"):
        build_app(backend, "0.4.1")
    await backend.close()
