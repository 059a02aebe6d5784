"""Draw docs/trace.png from a recording of a short run on the embedded backend.

Only the failures are artificial: a transport between client and server rejects a sample with
status 429 and fails one submission.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import httpx

import tinker_ext as tinker
from tinker_ext.config import ClientConfig
from tinker_ext.embedded.launch import start_embedded
from tinker_ext.runtime.core import ClientCore
from tinker_ext.trace_report.plot import draw
from tinker_ext.trace_report.recordings import read_recording

STEPS = 5
TOKENS = list(range(10, 74))
DATUM = tinker.Datum(
    model_input=tinker.ModelInput.from_ints(TOKENS[:-1]),
    loss_fn_inputs={"target_tokens": TOKENS[1:], "weights": [1.0] * (len(TOKENS) - 1)},
)


class FailingTransport(httpx.AsyncBaseTransport):
    """Forwards requests, except those that are planned to fail."""

    def __init__(self) -> None:
        self._wire = httpx.AsyncHTTPTransport()
        # The number of requests of an operation that pass before one fails with this response.
        self._planned = {
            "forward_backward": [(2, httpx.Response(503))],
            "asample": [(3, httpx.Response(429, headers={"Retry-After": "0.8"}))],
        }
        self._seen: dict[str, int] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        operation = request.url.path.rpartition("/")[2]
        count = self._seen[operation] = self._seen.get(operation, 0) + 1
        for after, response in self._planned.get(operation, ()):
            if count == after + 1:
                return response
        return await self._wire.handle_async_request(request)

    async def aclose(self) -> None:
        await self._wire.aclose()


def run(recording: Path) -> None:
    """Train a few steps, then sample."""
    with start_embedded() as server:
        config = ClientConfig.resolve(base_url=server.url, api_key="none", trace_file=recording)
        core = ClientCore(config, lambda: server.url, transport=FailingTransport())
        with tinker.ServiceClient.from_core(core) as service:
            training = service.create_lora_training_client("embedded/tiny", rank=8)
            for number in range(STEPS):
                with tinker.step(number):
                    gradients = training.forward_backward([DATUM] * 12, "cross_entropy")
                    update = training.optim_step(tinker.AdamParams(learning_rate=1e-3))
                    gradients.result()
                    update.result()
                    time.sleep(0.12)  # The user's code: metrics, the next batch.
            sampler = training.save_weights_and_get_sampling_client()
            prompt = tinker.ModelInput.from_ints(TOKENS[:8])
            params = tinker.SamplingParams(max_tokens=48)
            for future in [sampler.sample(prompt, 1, params) for _ in range(5)]:
                future.result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, nargs="?", default=Path("docs/trace.png"))
    target = parser.parse_args().target
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "run.jsonl"
        run(recording)
        draw(read_recording(recording), target)
    print(target)


if __name__ == "__main__":
    main()
