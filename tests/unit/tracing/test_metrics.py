"""The metrics, with their names and units."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.builders import PARAMS, PROMPT, datum
from tinker_ext.testing import FakeServer, Reply, make_client

if TYPE_CHECKING:
    from tests.unit.tracing.sdk import Sdk


# Those of the conventions, if they define the metric.
UNITS = {
    "http.client.active_requests": "{request}",
    "http.client.request.duration": "s",
    "gen_ai.client.operation.duration": "s",
    "gen_ai.client.token.usage": "{token}",
    "tinker.client.heartbeat.age": "s",
    "tinker.client.io": "By",
    "tinker.client.operation.duration": "s",
    "tinker.client.pause.duration": "s",
    "tinker.client.queue.wait": "s",
    "tinker.client.retries": "{retry}",
    "tinker.client.stage.duration": "s",
    "tinker.client.tokens": "{token}",
}


class Readings:
    """Increases of the metrics since creation; instruments count from the start of the process."""

    def __init__(self, sdk: Sdk) -> None:
        self._sdk = sdk
        self._before = self._totals()

    def _totals(self) -> dict[tuple[Any, ...], float]:
        return {
            (name, *sorted((point.attributes or {}).items())): getattr(
                point, "sum", getattr(point, "value", 0)
            )
            for name, points in self._sdk.points().items()
            for point in points
        }

    def increase(self, name: str, **attributes: Any) -> float:
        expected = {key.replace("__", "."): value for key, value in attributes.items()}
        return sum(
            value - self._before.get(key, 0)
            for key, value in self._totals().items()
            if key[0] == name and expected.items() <= dict(key[1:]).items()
        )


def test_run_reports_all_metrics(sdk: Sdk) -> None:
    readings = Readings(sdk)
    server = FakeServer()
    server.respond("asample", Reply(429, None, {"Retry-After": "0.2"}))
    server.respond("forward_backward", lambda _: server.submitted(_loss()))
    with make_client(server, heartbeat_interval=0.05) as service:
        training = service.create_lora_training_client("fake/model", rank=4)
        server.respond("retrieve_future", Reply(408, {"queue_state": "paused_capacity"}))
        training.forward_backward([datum(3)] * 5, "cross_entropy").result(30)
        sampler = service.create_sampling_client(base_model="fake/model")
        started = time.perf_counter()
        sampler.sample(PROMPT, 2, PARAMS).result(30)
        elapsed = time.perf_counter() - started
        assert _units(sdk) == UNITS
        [age] = sdk.points()["tinker.client.heartbeat.age"]
        assert 0 <= age.value < 30
        assert dict(age.attributes) == {"tinker.session.id": "session-1"}
    assert readings.increase("tinker.client.operation.duration", tinker__operation="sample") >= 0.2
    assert readings.increase("gen_ai.client.operation.duration") <= elapsed
    assert readings.increase("tinker.client.tokens", tinker__token__use="trained") == 15
    assert readings.increase("tinker.client.tokens", tinker__token__use="sampled") == 6
    assert readings.increase("gen_ai.client.token.usage", gen_ai__token__type="input") == 3
    assert readings.increase("gen_ai.client.token.usage", gen_ai__token__type="output") == 6
    assert readings.increase("tinker.client.retries", error__type="429") == 1
    assert (
        0.2
        <= readings.increase("tinker.client.pause.duration", tinker__operation="sample")
        < elapsed
    )
    assert readings.increase("tinker.client.queue.wait", tinker__operation="forward_backward") > 0
    stages = readings.increase("tinker.client.stage.duration", tinker__stage="server")
    assert 0 < stages < 30
    assert readings.increase("http.client.request.duration", http__response__status_code=429) > 0
    assert readings.increase("http.client.active_requests", http__request__method="POST") == 0
    assert readings.increase("tinker.client.io", network__io__direction="transmit") > 500
    assert readings.increase("tinker.client.io", network__io__direction="receive") > 500


def _units(sdk: Sdk) -> dict[str, str | None]:
    data = sdk.reader.get_metrics_data()
    assert data is not None
    return {
        metric.name: metric.unit
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if scope.scope.name == "tinker_ext"
    }


def _loss() -> dict[str, Any]:
    output = {"logprobs": {"data": [-1.0] * 3, "dtype": "float32", "shape": [3]}}
    return {"loss_fn_output_type": "x", "loss_fn_outputs": [output] * 5, "metrics": {}}
