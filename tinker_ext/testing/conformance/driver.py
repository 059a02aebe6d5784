"""The driver of a Python client with the names of the official SDK: `driver.py PACKAGE`.

It needs only that package, so that it also runs where this project is not installed. The protocol
is described in docs/conformance.md.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from importlib.metadata import version
from typing import Any

# The releases whose protocols a client speaks, by the package's name and version.
_PROTOCOLS = {"tinker_ext": ["0.4.1", "0.38.0"]}


class Service:
    """The clients of one service. Steps start in order, each on this service's thread."""

    def __init__(self, sdk: Any, types: Any, write: Callable[..., None]) -> None:
        self.sdk, self.types, self.write = sdk, types, write
        self.clients: dict[str, Any] = {}
        self.pending: dict[int, Any] = {}
        self.steps: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def start(self) -> None:
        """Handle the steps on a thread."""
        threading.Thread(target=self._run, daemon=True).start()

    def perform(self, step: dict[str, Any]) -> Any:
        """Perform one step on the caller's thread and return its result."""
        value, finish = getattr(self, f"do_{step['do']}")(**_fields(step))
        return finish(_resolved(value))

    def _run(self) -> None:
        while True:
            step = self.steps.get()
            try:
                start = getattr(self, f"do_{step['do']}", _unknown)
                value, finish = start(**_fields(step))
            except NotImplementedError as missing:
                self.write(step, unsupported=str(missing) or step["do"])
            except BaseException as error:
                self.write(step, error=_described(error))
            else:
                self.pending[step["id"]] = value
                threading.Thread(target=self._wait, args=(step, value, finish), daemon=True).start()

    def _wait(self, step: dict[str, Any], value: Any, finish: Callable[[Any], Any]) -> None:
        try:
            result = finish(value.result() if hasattr(value, "result") else value)
        except BaseException as error:
            self.write(step, error=_described(error))
        else:
            self.write(step, ok=result)

    def do_open(self, base_url: str, api_key: str, protocol: str = "") -> Any:
        # These clients find out the protocol.
        self.service = self.sdk.ServiceClient(base_url=base_url, api_key=api_key)
        return None, _nothing

    def do_get_server_capabilities(self) -> Any:
        capabilities = self.service.get_server_capabilities()
        names = [model.model_name for model in capabilities.supported_models]
        return None, lambda _: {"models": names}

    def do_create_training_client(self, base_model: str, rank: int, **handle: str) -> Any:
        client = self.service.create_lora_training_client(base_model=base_model, rank=rank)
        self.clients[handle["as"]] = _resolved(client)
        return None, _nothing

    def do_create_sampling_client(self, **options: str) -> Any:
        handle = options.pop("as")
        self.clients[handle] = _resolved(self.service.create_sampling_client(**options))
        return None, _nothing

    def do_forward(self, on: str, data: list[Any], loss_fn: str) -> Any:
        return self.clients[on].forward(self._data(data), loss_fn), _loss

    def do_forward_backward(self, on: str, data: list[Any], loss_fn: str) -> Any:
        return self.clients[on].forward_backward(self._data(data), loss_fn), _loss

    def do_optim_step(self, on: str, learning_rate: float | str) -> Any:
        params = self.types.AdamParams(learning_rate=float(learning_rate))
        return self.clients[on].optim_step(params), _nothing

    def do_save_state(self, on: str, name: str) -> Any:
        return self.clients[on].save_state(name), _path

    def do_load_state(self, on: str, path: str) -> Any:
        return self.clients[on].load_state(path), _nothing

    def do_save_weights_for_sampler(self, on: str, name: str) -> Any:
        return self.clients[on].save_weights_for_sampler(name), _path

    def do_save_weights_and_get_sampling_client(self, on: str, **handle: str) -> Any:
        client = self.clients[on].save_weights_and_get_sampling_client()
        self.clients[handle["as"]] = _resolved(client)
        return None, _nothing

    def do_sample(self, on: str, prompt: list[int], max_tokens: int, num_samples: int) -> Any:
        future = self.clients[on].sample(
            prompt=self.types.ModelInput.from_ints(prompt),
            num_samples=num_samples,
            sampling_params=self.types.SamplingParams(max_tokens=max_tokens),
        )
        return future, _sequences

    def do_cancel(self, call: int) -> Any:
        self.pending[call].cancel()
        return None, _nothing

    def do_close(self) -> Any:
        if not hasattr(self.service, "close"):  # release 0.4.1
            raise NotImplementedError("close")
        if "status" in inspect.signature(self.service.close).parameters:  # release 0.38.0
            self.service.close(status="success", detail=None)
        else:
            self.service.close()
        return None, _nothing

    def _data(self, data: list[Any]) -> list[Any]:
        return [
            self.types.Datum(
                model_input=self.types.ModelInput.from_ints(item["tokens"]),
                loss_fn_inputs={
                    "target_tokens": self._tensor(item["target_tokens"], "int64"),
                    "weights": self._tensor(item["weights"], "float32"),
                },
            )
            for item in data
        ]

    def _tensor(self, data: list[Any], dtype: str) -> Any:
        return self.types.TensorData(data=data, dtype=dtype, shape=[len(data)])


def _fields(step: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name not in ("id", "do", "service")}


def _resolved(value: Any) -> Any:
    """The client: some releases return a future of it."""
    return value.result() if hasattr(value, "result") else value


def _unknown(**_: Any) -> Any:
    raise NotImplementedError


def _nothing(_: Any) -> Any:
    return {}


def _path(response: Any) -> Any:
    return {"path": response.path}


def _loss(output: Any) -> Any:
    outputs = output.loss_fn_outputs
    return {
        "logprobs": [[float(x) for x in item["logprobs"].data] for item in outputs],
        "metrics": {name: float(value) for name, value in output.metrics.items()},
    }


def _sequences(response: Any) -> Any:
    return {
        "sequences": [
            {
                "tokens": [int(token) for token in sequence.tokens],
                "logprobs": None
                if sequence.logprobs is None
                else [float(logprob) for logprob in sequence.logprobs],
                "stop_reason": str(sequence.stop_reason),
            }
            for sequence in response.sequences
        ]
    }


def _described(error: BaseException) -> dict[str, Any]:
    kind = "cancelled" if isinstance(error, CancelledError) else type(error).__name__
    status = getattr(error, "status_code", None)
    return {"type": kind, "message": str(error), "status": status}


def main(package: str) -> None:
    """Read steps from standard input and write results to standard output until it ends."""
    os.environ.setdefault("TINKER_TELEMETRY", "0")
    sdk, types = importlib.import_module(package), importlib.import_module(f"{package}.types")
    output, lock = sys.stdout, threading.Lock()
    sys.stdout = sys.stderr  # a client that prints must not disturb the protocol

    def write(step: dict[str, Any], **result: Any) -> None:
        with lock:
            output.write(json.dumps({**({"id": step["id"]} if step else {}), **result}) + "\n")
            output.flush()

    release = version(package.replace("_", "-"))
    write({}, client=f"{package} {release}", protocols=_PROTOCOLS.get(package, [release]))
    services: dict[str, Service] = {}
    for line in sys.stdin:
        step = json.loads(line)
        if step["service"] not in services:
            services[step["service"]] = Service(sdk, types, write)
            services[step["service"]].start()
        services[step["service"]].steps.put(step)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "tinker_ext")
