"""Tokens: given for any key, and where they are demanded nothing else opens the door."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from tinker_ext.embedded.app import build_app
from tinker_ext.embedded.backend import Backend
from tinker_ext.embedded.tokens import LIFE

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.unit.embedded.conftest import Api, OpenApi

KEY = "any-key-at-all"


async def exchanged(api: Api, key: str = KEY) -> str:
    response = await api.http.post("/api/v1/auth/token", json={}, headers={"X-API-Key": key})
    assert response.status_code == 200
    token: str = response.json()["jwt"]
    return token


async def ask(api: Api, key: str | None, body: Any = None) -> httpx.Response:
    headers = {} if key is None else {"X-API-Key": key}
    body = {"tags": [], "user_metadata": {}, "sdk_version": "test"} if body is None else body
    return await api.http.post("/api/v1/create_session", json=body, headers=headers)


def claims(token: str) -> dict[str, Any]:
    result: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return result


async def test_without_demand_any_key_does_and_tokens_are_given(api: Api) -> None:
    flags = (await api.post("client/config", sdk_version="x")).json()
    assert flags["pjwt_auth_enabled"] is False
    token = await exchanged(api)
    for key in (None, KEY, token):
        assert (await ask(api, key)).status_code == 200
    said = claims(token)
    # Without approx, which looks into numpy; the backend's thread is importing it, if nobody has.
    assert abs(said["exp"] - said["iat"] - LIFE) <= 1
    assert KEY not in str(said)
    assert await exchanged(api) != token


async def test_a_token_needs_a_key(api: Api) -> None:
    assert (await api.post("auth/token")).status_code == 401


async def test_where_demanded_only_a_live_token_of_this_server_does(open_api: OpenApi) -> None:
    async with open_api("0.38", jwt_life=1) as api:
        flags = (await api.post("client/config", sdk_version="x")).json()
        assert flags["pjwt_auth_enabled"] is True
        token = await exchanged(api)
        assert (await ask(api, token)).status_code == 200
        assert (await api.get("healthz")).status_code == 401
        assert (await api.get("sessions")).status_code == 401
        forged = jwt.encode(claims(token), "x" * 32, algorithm="HS256")
        unsigned = jwt.encode(claims(token), "", algorithm="none")
        for bad in (None, "", KEY, forged, unsigned, token[:-2]):
            refused = await ask(api, bad)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'
            assert not bad or bad not in refused.text
        # A token is asked for before what it is asked with is looked at.
        assert (await ask(api, KEY, {"nonsense": 1})).status_code == 401
        assert (await ask(api, token, {"nonsense": 1})).status_code == 422
        await asyncio.sleep(max(0.0, claims(token)["exp"] - time.time()) + 0.05)
        assert (await ask(api, token)).status_code == 401
        assert (await ask(api, await exchanged(api))).status_code == 200


async def test_a_token_outlives_the_server(open_api: OpenApi) -> None:
    async with open_api(jwt_life=60) as api:
        token = await exchanged(api)
    async with open_api(jwt_life=60) as api:
        assert (await ask(api, token)).status_code == 200


async def test_a_refused_request_has_taken_no_turn(open_api: OpenApi) -> None:
    async with open_api(jwt_life=60, gap_seconds=0.1) as api:
        api.http.headers["X-API-Key"] = await exchanged(api)
        await api.new_model()
        body = api.batch(1)
        refused = await api.http.post(
            "/api/v1/forward_backward", json=body, headers={"X-API-Key": KEY}
        )
        assert refused.status_code == 401
        assert (await api.forward_backward(1))["metrics"]
        assert (await api.optim_step(2))["metrics"] is not None


async def test_a_release_without_tokens_cant_demand_them(tmp_path: Path) -> None:
    backend = Backend(tmp_path / "state", jwt_life=60)
    with pytest.raises(RuntimeError, match=r"release 0\.4\.1 has no tokens to demand"):
        build_app(backend, "0.4.1")
    await backend.close()
