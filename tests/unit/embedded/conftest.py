"""The server in this process, spoken to over its ASGI interface, with the real engine."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tinker_ext.embedded.app import build_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from starlette.applications import Starlette

    from tinker_ext.embedded.backend import Backend

    OpenApi = Callable[..., AbstractAsyncContextManager["Api"]]

TOKENS = list(b"The quick brown fox jumps over the lazy dog.")


class Api:
    """A caller: each operation by its name, futures waited for."""

    def __init__(self, http: httpx.AsyncClient, app: Starlette) -> None:
        self.http = http
        self.app = app
        self.backend: Backend = app.state.backend
        self.session_id = ""
        self.model_id = ""

    async def post(self, operation: str, **body: Any) -> httpx.Response:
        return await self.http.post(f"/api/v1/{operation}", json=body)

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.http.get(f"/api/v1/{path}", params=query)

    async def submit(self, operation: str, **body: Any) -> str:
        """Submit work; returns the request's id."""
        response = await self.post(operation, **body)
        assert response.status_code == 200, response.text
        request_id: str = response.json()["request_id"]
        return request_id

    async def result(self, request_id: str) -> dict[str, Any]:
        """Poll until there is a result."""
        while True:
            response = await self.post("retrieve_future", request_id=request_id)
            assert response.status_code == 200, response.text
            answer: dict[str, Any] = response.json()
            if answer.get("type") != "try_again":
                return answer

    async def done(self, operation: str, **body: Any) -> dict[str, Any]:
        """Submit work and wait for its result."""
        return await self.result(await self.submit(operation, **body))

    async def new_session(self) -> str:
        response = await self.post("create_session", tags=[], user_metadata={}, sdk_version="test")
        self.session_id = response.json()["session_id"]
        return self.session_id

    async def new_model(self, number: int = 0, **lora: Any) -> str:
        """A model of this session, ready for seq_id 1."""
        answer = await self.done(
            "create_model",
            session_id=self.session_id or await self.new_session(),
            model_seq_id=number,
            base_model="embedded/tiny",
            lora_config={"rank": 2, "seed": 1, **lora},
        )
        self.model_id = answer["model_id"]
        return self.model_id

    @staticmethod
    def datum(**inputs: Any) -> dict[str, Any]:
        """One datum with next-token targets; inputs can be added or replaced."""
        size = len(TOKENS)
        given = {
            "target_tokens": {"data": [*TOKENS[1:], 256], "dtype": "int64", "shape": [size]},
            "weights": {"data": [1.0] * size, "dtype": "float32"},
            **inputs,
        }
        return {"model_input": {"chunks": [{"tokens": TOKENS}]}, "loss_fn_inputs": given}

    def batch(self, seq_id: int | None, **changes: Any) -> dict[str, Any]:
        """The body of a forward_backward request."""
        given = {"data": [self.datum(), self.datum()], "loss_fn": "cross_entropy", **changes}
        return {"model_id": self.model_id, "seq_id": seq_id, "forward_backward_input": given}

    async def forward_backward(self, seq_id: int | None, **changes: Any) -> dict[str, Any]:
        return await self.done("forward_backward", **self.batch(seq_id, **changes))

    async def optim_step(self, seq_id: int | None, **adam: Any) -> dict[str, Any]:
        return await self.done(
            "optim_step", model_id=self.model_id, seq_id=seq_id, adam_params=adam
        )

    def sample_body(self, **changes: Any) -> dict[str, Any]:
        """The body of an asample request, without what to sample from."""
        return {
            "prompt": {"chunks": [{"tokens": TOKENS}]},
            "sampling_params": {"max_tokens": 4, "seed": 1},
            **changes,
        }


@pytest.fixture
def open_api(tmp_path: Path) -> OpenApi:
    """Start a server over the test's folder; once more is a restart."""

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[Api]:
        app = build_app(tmp_path / "state", **settings)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://server", timeout=60
            ) as http:
                yield Api(http, app)

    return opened


@pytest.fixture
async def api(open_api: OpenApi) -> AsyncIterator[Api]:
    async with open_api() as opened:
        yield opened
