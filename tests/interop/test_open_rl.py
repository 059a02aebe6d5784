"""On a server built like Open-RL, this client passes every step that the official 0.24.1 passes.

Open-RL can't be installed from PyPI. Its properties: the flags of 0.24.1, no route `forward`, a
framework that reads every body as a JSON object, which fails with 500 on protobuf, and requests
that run in the order of their arrival, whatever their sequence numbers.
"""

from __future__ import annotations

import json
from collections import defaultdict

import pytest
from attrs import evolve

from conformance.interop.recorder import (
    JSON_TYPE,
    PROTOBUF_TYPE,
    Exchange,
    Forwarder,
    Message,
    Request,
    Response,
    recording,
)
from conformance.interop.session import Run, run_program
from conformance.interop.support_matrix import outcomes_of
from tinker_ext.embedded.launch import start_embedded
from tinker_ext.server_check.runner import Ending

# The first run also creates the environment.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

RELEASE = "0.24.1"
#: Seconds for a step of the official client, which waits for ever for some of the results.
SETTINGS = {"DRIVER_STEP_SECONDS": "20"}


class OpenRL(Forwarder):
    """The embedded backend behind the framework of Open-RL."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self._numbers: defaultdict[str, dict[int, int]] = defaultdict(dict)

    async def __call__(self, request: Request) -> Response:
        if request.path.endswith("/forward"):
            return _response(404, JSON_TYPE, b'{"detail":"Not Found"}')
        if request.message.media_type == PROTOBUF_TYPE:
            return _response(500, "text/plain", b"Internal Server Error")
        if request.message.body:
            message = evolve(request.message, body=self._renumbered(request.message.body))
            request = evolve(request, message=message)
        return await super().__call__(request)

    def _renumbered(self, content: bytes) -> bytes:
        """The body with a sequence number that follows that of the model's previous request."""
        body = json.loads(content)
        if "model_id" in body and "seq_id" in body:
            numbers = self._numbers[body["model_id"]]
            body["seq_id"] = numbers.setdefault(body["seq_id"], len(numbers) + 1)
        return json.dumps(body).encode()


def _response(status: int, media_type: str, body: bytes) -> Response:
    return Response(status, Message({"content-type": media_type}, body))


def tour(release: str | None) -> tuple[Run, list[Exchange]]:
    """Run the steps of `make servers` with a release, or with this client, on a new server."""
    with start_embedded(protocol="0.24") as embedded, recording(OpenRL(embedded.url)) as record:
        run = run_program(release, "tour", record.url, SETTINGS, limit=180)
        return run, list(record.exchanges)


def passed(run: Run) -> set[str]:
    return {
        outcome.name
        for outcome in outcomes_of(run)
        if outcome.ending in (Ending.OK, Ending.ACCEPTED)
    }


def test_steps_that_the_official_release_passes_also_pass_with_this_client() -> None:
    official, _ = tour(RELEASE)
    ours, exchanges = tour(None)
    assert len(passed(official)) > 15, official.failures
    assert passed(official) - passed(ours) == set(), ours.failures
    media_types = {exchange.request.message.media_type for exchange in exchanges}
    assert PROTOBUF_TYPE not in media_types
    forwards = [item for item in exchanges if item.request.path.endswith("/forward")]
    assert len(forwards) == 1
