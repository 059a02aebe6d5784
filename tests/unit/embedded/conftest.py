"""A server in this process, called through its ASGI interface, with the real engine."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import jsonschema_rs
import pytest
from ruamel.yaml import YAML

from tinker_ext.embedded.app import build_app
from tinker_ext.embedded.backend import Backend
from tinker_ext.embedded.validation import Specification

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from tinker_ext.embedded.access import Access

OpenApi: TypeAlias = "Callable[..., AbstractAsyncContextManager[Api]]"

ROOT = Path(__file__).parents[3]

RESULTS = {
    "asample": "SampleResponse",
    "create_model": "CreateModelResponse",
    "forward": "ForwardBackwardOutput",
    "forward_backward": "ForwardBackwardOutput",
    "load_weights": "LoadWeightsResponse",
    "optim_step": "OptimStepResponse",
    "save_weights": "SaveWeightsResponse",
    "save_weights_external": "SaveWeightsExternalResponseInternal",
    "save_weights_for_sampler": "SaveWeightsForSamplerResponseInternal",
    "unload_model": "UnloadModelResponse",
}

TOKENS = list(b"The quick brown fox jumps over the lazy dog.")


# The release whose specification validates the responses of each protocol.
VALIDATED_BY = {
    "any": "0.4.1",
    "0.4.1": "0.4.1",
    "0.24": "0.24.1",
    "0.25": "0.25.0",
    "0.38": "0.38.0",
}


class Release:
    """The strict specification of a release, for the validation of responses."""

    def __init__(self, version: str) -> None:
        path = ROOT / "openapi" / "releases" / f"{version}.yaml"
        self._document = YAML(typ="safe").load(path)
        operations = Specification(self._document).operations.values()
        self._patterns = [
            (
                operation.method,
                re.compile(re.sub(r"\{\w+\}", "[^/]+", operation.path)),
                operation.path,
            )
            for operation in operations
        ]

    @cache  # noqa: B019  # one object for the whole run
    def _validator(self, schema: str) -> jsonschema_rs.Draft202012Validator:
        pointer = {"$ref": f"#/components/schemas/{schema}"}
        components = self._document["components"]
        return jsonschema_rs.Draft202012Validator({**pointer, "components": components})

    def check_result(self, operation: str, result: object) -> None:
        """Validate the result of an operation, or its failure."""
        failed = isinstance(result, dict) and "error" in result
        self._validator("RequestFailedResponse" if failed else RESULTS[operation]).validate(result)

    async def check_response(self, response: httpx.Response) -> None:
        """Check that status code and body are documented for the operation."""
        path = response.request.url.path
        for method, pattern, template in self._patterns:
            if method == response.request.method and pattern.fullmatch(path):
                await response.aread()
                self._check_documented(response, self._document["paths"][template][method.lower()])

    def _check_documented(self, response: httpx.Response, node: dict[str, Any]) -> None:
        documented = node["responses"].get(str(response.status_code))
        assert documented is not None, f"{response.status_code} is not documented: {response.text}"
        if "$ref" in documented:
            documented = self._document["components"]["responses"][
                documented["$ref"].split("/")[-1]
            ]
        if "content" not in documented:
            assert not response.content
            return
        if response.headers["content-type"] == "application/x-protobuf":
            assert "application/x-protobuf" in documented["content"]
            return
        schema = documented["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
        if schema != "FutureRetrieveResponse":  # checked by operation, in check_result
            self._validator(schema).validate(response.json())


class Api:
    """A client that calls operations by name, polls for results and validates all responses."""

    def __init__(
        self, http: httpx.AsyncClient, app: Starlette, backend: Backend, release: Release
    ) -> None:
        self.http = http
        self.app = app
        self.backend = backend
        self.release = release
        self.session_id = ""
        self.model_id = ""

    async def post(self, operation: str, **body: Any) -> httpx.Response:
        return await self.http.post(f"/api/v1/{operation}", json=body)

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.http.get(f"/api/v1/{path}", params=query)

    async def submit(self, operation: str, **body: Any) -> str:
        """Submit a request and return its id."""
        response = await self.post(operation, **body)
        assert response.status_code == 200, response.text
        request_id: str = response.json()["request_id"]
        return request_id

    async def result(self, request_id: str) -> dict[str, Any]:
        """Poll for the result of a request."""
        while True:
            response = await self.post("retrieve_future", request_id=request_id)
            assert response.status_code == 200, response.text
            reply: dict[str, Any] = response.json()
            if reply.get("type") != "try_again":
                return reply

    async def done(self, operation: str, **body: Any) -> dict[str, Any]:
        """Submit a request and return its result."""
        response = await self.result(await self.submit(operation, **body))
        self.release.check_result(operation, response)
        return response

    async def new_session(self) -> str:
        response = await self.post("create_session", tags=[], user_metadata={}, sdk_version="test")
        self.session_id = response.json()["session_id"]
        return self.session_id

    async def new_model(self, number: int = 0, **lora: Any) -> str:
        """Create a model in this session; its next seq_id is 1."""
        response = await self.done(
            "create_model",
            session_id=self.session_id or await self.new_session(),
            model_seq_id=number,
            base_model="embedded/tiny",
            lora_config={"rank": 2, "seed": 1, **lora},
        )
        self.model_id = response["model_id"]
        return self.model_id

    @staticmethod
    def datum(**inputs: Any) -> dict[str, Any]:
        """One datum with next-token targets; inputs can be added or replaced."""
        size = len(TOKENS)
        loss_fn_inputs = {
            "target_tokens": {"data": [*TOKENS[1:], 256], "dtype": "int64", "shape": [size]},
            "weights": {"data": [1.0] * size, "dtype": "float32"},
            **inputs,
        }
        return {"model_input": {"chunks": [{"tokens": TOKENS}]}, "loss_fn_inputs": loss_fn_inputs}

    def batch(self, seq_id: int | None, **changes: Any) -> dict[str, Any]:
        """The body of a forward_backward request."""
        params = {"data": [self.datum(), self.datum()], "loss_fn": "cross_entropy", **changes}
        return {"model_id": self.model_id, "seq_id": seq_id, "forward_backward_input": params}

    async def forward_backward(self, seq_id: int | None, **changes: Any) -> dict[str, Any]:
        return await self.done("forward_backward", **self.batch(seq_id, **changes))

    async def optim_step(self, seq_id: int | None, **adam: Any) -> dict[str, Any]:
        return await self.done(
            "optim_step", model_id=self.model_id, seq_id=seq_id, adam_params=adam
        )

    def sample_body(self, **changes: Any) -> dict[str, Any]:
        """The body of an asample request, without the weights to sample from."""
        return {
            "prompt": {"chunks": [{"tokens": TOKENS}]},
            "sampling_params": {"max_tokens": 4, "seed": 1},
            **changes,
        }


@pytest.fixture(scope="session")
def release_of() -> Callable[[str], Release]:
    return cache(Release)


@pytest.fixture
def open_api(tmp_path: Path, release_of: Callable[[str], Release]) -> OpenApi:
    """Start a server on the test's folder; a second call restarts it."""

    @asynccontextmanager
    async def open_server(
        protocol: str = "any", *, access: Access | None = None, **settings: Any
    ) -> AsyncIterator[Api]:
        backend = Backend(tmp_path / "state", **settings)
        app = build_app(backend, protocol, access)
        release = release_of(VALIDATED_BY[protocol])
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(
                transport=transport,
                base_url="http://127.0.0.1:8765",
                timeout=60,
                event_hooks={"response": [release.check_response]},
            ) as http:
                yield Api(http, app, backend, release)

    return open_server


@pytest.fixture
async def api(open_api: OpenApi) -> AsyncIterator[Api]:
    async with open_api() as client:
        yield client


@pytest.fixture
async def latest(open_api: OpenApi) -> AsyncIterator[Api]:
    """A server of the latest release, which accepts training data as protobuf only."""
    async with open_api("0.38") as client:
        yield client
