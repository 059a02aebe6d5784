"""Creates, describes and unloads models."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tinker_ext.embedded.errors import RejectedRequestError
from tinker_ext.embedded.protocols import ANY, specification_of
from tinker_ext.embedded.routes.call import checkpoint_of, json_response, submitted, unknown_session
from tinker_ext.embedded.store import LoraRecord, RunRecord
from tinker_ext.embedded.validation_errors import field_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call


# The only optimizer, by its name in releases from 0.32 on.
OPTIMIZER = {"type": "adamw"}


async def create_model(call: Call) -> Response:
    run = new_run(call, call.body["base_model"], _lora(call.body.get("lora_config")))
    request_id = call.backend.models.create(run.run_id, call.backend.training.create_model(run))
    return submitted(request_id, run.run_id)


def new_run(call: Call, base_model: str, lora: LoraRecord) -> RunRecord:
    """The run that the body describes.

    Its id consists of the session and the number, in the form that later clients expect.
    """
    check_optimizer(call)
    session_id, number = call.body["session_id"], call.number("model_seq_id")
    if call.backend.sessions.get(session_id) is None:
        raise unknown_session(session_id)
    now = time.time()
    return RunRecord(
        run_id=f"{session_id}:train:{number}",
        session_id=session_id,
        base_model=base_model,
        lora=lora,
        user_metadata=text_metadata(call.body.get("user_metadata")),
        created=now,
        last_request=now,
    )


def check_optimizer(call: Call) -> None:
    """Check that the requested optimizer is supported.

    Raises:
        RejectedRequestError: it is not (400).
    """
    kind = (call.body.get("optimizer_config") or OPTIMIZER)["type"]
    if kind != OPTIMIZER["type"]:
        raise RejectedRequestError(
            400, f"optimizer_config: unsupported optimizer {kind!r}; this server has adamw"
        )


async def get_info(call: Call) -> Response:
    from tinker_ext.embedded.engine.text import tokenizer_folder

    run = call.backend.runs.get(call.body["model_id"])
    if run is None:
        raise RejectedRequestError(
            404, f"there is no model {call.body['model_id']!r} on this server"
        )
    content = {
        "type": "get_info",
        "model_id": run.run_id,
        "model_name": run.base_model,
        "is_lora": True,
        "lora_rank": run.lora.rank,
        "optimizer_config": OPTIMIZER,
        "model_data": {
            "arch": "llama",
            "model_name": run.base_model,
            "tokenizer_id": str(tokenizer_folder()),
        },
    }
    return json_response(call.known_fields("GetInfoResponse", content) | _extensions(call))


async def get_weights_info(call: Call) -> Response:
    """The base model and settings of a checkpoint."""
    _, run = checkpoint_of(call.backend, call.body["tinker_path"], "tinker_path")
    content = {
        "base_model": run.base_model,
        "is_lora": True,
        "lora_rank": run.lora.rank,
        "train_attn": run.lora.train_attn,
        "train_mlp": run.lora.train_mlp,
        "train_unembed": run.lora.train_unembed,
        "optimizer_config": OPTIMIZER,
    }
    return json_response(call.known_fields("WeightsInfoResponse", content) | _extensions(call))


def _extensions(call: Call) -> dict[str, Any]:
    """Fields about an adapter that no release has; a strict server of a release omits them."""
    from tinker_ext.embedded.engine.lora import LORA_ALPHA

    return {"lora_alpha": LORA_ALPHA} if call.specification is specification_of(ANY) else {}


async def unload_model(call: Call) -> Response:
    run_id = call.body["model_id"]
    operation = call.backend.training.unload_model()
    return submitted(call.backend.models.submit(run_id, "unload_model", None, operation), run_id)


def _lora(config: Mapping[str, Any] | None) -> LoraRecord:
    if config is None:
        message = "is required: this server trains adapters only"
        raise field_error("lora_config", "missing", message)
    seed = config.get("seed")
    return LoraRecord(
        rank=int(config["rank"]),
        seed=None if seed is None else int(seed),
        train_attn=config.get("train_attn", True),
        train_mlp=config.get("train_mlp", True),
        train_unembed=config.get("train_unembed", True),
    )


def text_metadata(metadata: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Convert metadata, which may be any JSON, to text (TrainingRun.user_metadata)."""
    if metadata is None:
        return None
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in metadata.items()
    }
