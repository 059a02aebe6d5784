"""A driver of a naive client, which breaks most rules: it sends each request just once.

It handles one step at a time and needs the standard library only.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any


class Client:
    """One session; a model's requests are numbered from 1 whether or not they are accepted."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self.base_url, self.api_key = base_url, api_key
        self.numbers: dict[str, int] = {}
        self.session = self.post("create_session", {"tags": [], "sdk_version": "0.4.1"})
        self.clients: dict[str, str] = {}

    def post(self, operation: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"{self.base_url}/api/v1/{operation}",
            json.dumps(body).encode(),
            {"X-API-Key": self.api_key, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{error.code}: {error.read().decode()}") from error

    def result(self, operation: str, body: dict[str, Any]) -> Any:
        submitted = self.post(operation, body)
        while True:
            result = self.post("retrieve_future", {"request_id": submitted["request_id"]})
            if result.get("type") != "try_again":
                return result

    def number(self, client: str) -> int:
        self.numbers[client] = self.numbers.get(client, 0) + 1
        return self.numbers[client]

    def create_training_client(self, step: dict[str, Any]) -> Any:
        session_id = self.session["session_id"]
        models = self.number("models") - 1
        body = {"session_id": session_id, "model_seq_id": models, "base_model": step["base_model"]}
        self.clients[step["as"]] = self.result("create_model", body)["model_id"]
        return {}

    def create_sampling_client(self, step: dict[str, Any]) -> Any:
        body = {"session_id": self.session["session_id"], "base_model": step["base_model"]}
        created = self.post("create_sampling_session", {**body, "sampling_session_seq_id": 0})
        self.clients[step["as"]] = created["sampling_session_id"]
        return {}

    def forward_backward(self, step: dict[str, Any]) -> Any:
        data = [
            {
                "model_input": {"chunks": [{"type": "encoded_text", "tokens": item["tokens"]}]},
                "loss_fn_inputs": {
                    "target_tokens": {"data": item["target_tokens"], "dtype": "int64"},
                    "weights": {"data": item["weights"], "dtype": "float32"},
                },
            }
            for item in step["data"]
        ]
        body = {"forward_backward_input": {"data": data, "loss_fn": step["loss_fn"]}}
        output = self.result("forward_backward", {**body, **self.order(step)})
        logprobs = [item["logprobs"]["data"] for item in output["loss_fn_outputs"]]
        return {"logprobs": logprobs, "metrics": output["metrics"]}

    def optim_step(self, step: dict[str, Any]) -> Any:
        body = {"adam_params": {"learning_rate": step["learning_rate"]}, **self.order(step)}
        self.result("optim_step", body)
        return {}

    def sample(self, step: dict[str, Any]) -> Any:
        result = self.result(
            "asample",
            {
                "sampling_session_id": self.clients[step["on"]],
                "seq_id": self.number(step["on"]) - 1,
                "prompt": {"chunks": [{"type": "encoded_text", "tokens": step["prompt"]}]},
                "num_samples": step["num_samples"],
                "sampling_params": {"max_tokens": step["max_tokens"]},
            },
        )
        return {"sequences": result["sequences"]}

    def order(self, step: dict[str, Any]) -> dict[str, Any]:
        return {"model_id": self.clients[step["on"]], "seq_id": self.number(step["on"])}


def main() -> None:
    print(json.dumps({"client": "naive", "protocols": ["0.4.1"]}), flush=True)
    clients: dict[str, Client] = {}
    for line in sys.stdin:
        step = json.loads(line)
        try:
            if step["do"] == "open":
                clients[step["service"]] = Client(step["base_url"], step["api_key"])
                outcome: dict[str, Any] = {"ok": {}}
            elif (method := getattr(clients[step["service"]], step["do"], None)) is None:
                outcome = {"unsupported": f"no {step['do']}"}
            else:
                outcome = {"ok": method(step)}
        except Exception as error:
            print("failed with the key", step.get("api_key"), file=sys.stderr)
            outcome = {"error": {"type": type(error).__name__, "message": str(error)}}
        print(json.dumps({"id": step["id"], **outcome}), flush=True)


if __name__ == "__main__":
    main()
