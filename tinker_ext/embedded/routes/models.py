"""Models: created, described, given up."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tinker_ext.embedded.rejections import RejectedRequestError
from tinker_ext.embedded.routes.call import answer, checkpoint_of, no_session, submitted
from tinker_ext.embedded.store import RunRecord
from tinker_ext.embedded.store.runs import LoraRecord
from tinker_ext.embedded.validation_errors import fault, unprocessable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call


# The only optimizer there is, as releases from 0.32 on call it.
OPTIMIZER = {"type": "adamw"}


async def create_model(call: Call) -> Response:
    run = new_run(call, call.body["base_model"], _lora(call.body.get("lora_config")))
    request_id = call.backend.models.create(run.run_id, call.backend.training.create_model(run))
    return submitted(request_id, run.run_id)


def new_run(call: Call, base_model: str, lora: LoraRecord) -> RunRecord:
    """The run that a body asks for by session and number.

    Its id is made of the two, in the form that later clients expect.
    """
    check_optimizer(call)
    session_id, number = call.body["session_id"], call.number("model_seq_id")
    if call.backend.sessions.get(session_id) is None:
        raise no_session(session_id)
    now = time.time()
    return RunRecord(
        run_id=f"{session_id}:train:{number}",
        session_id=session_id,
        base_model=base_model,
        lora=lora,
        user_metadata=texts(call.body.get("user_metadata")),
        created=now,
        last_request=now,
    )


def check_optimizer(call: Call) -> None:
    """Whether the optimizer asked for is the one there is.

    Raises:
        RefusalError: it is not (400).
    """
    kind = (call.body.get("optimizer_config") or OPTIMIZER)["type"]
    if kind != OPTIMIZER["type"]:
        raise RejectedRequestError(400, f"optimizer_config: there is no {kind!r} here, only adamw")


async def get_info(call: Call) -> Response:
    from tinker_ext.embedded.engine.text import tokenizer_folder

    run = call.backend.runs.get(call.body["model_id"])
    if run is None:
        raise RejectedRequestError(404, f"there is no model {call.body['model_id']!r} here")
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
    return answer(call.told("GetInfoResponse", content))


async def get_weights_info(call: Call) -> Response:
    """What a checkpoint's weights fit."""
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
    return answer(call.told("WeightsInfoResponse", content))


async def unload_model(call: Call) -> Response:
    run_id = call.body["model_id"]
    act = call.backend.training.unload_model()
    return submitted(call.backend.models.submit(run_id, "unload_model", None, act), run_id)


def _lora(given: Mapping[str, Any] | None) -> LoraRecord:
    if given is None:
        message = "is required here: this server trains adapters only"
        raise unprocessable([fault(("body", "lora_config"), "missing", message)])
    seed = given.get("seed")
    return LoraRecord(
        rank=int(given["rank"]),
        seed=None if seed is None else int(seed),
        train_attn=given.get("train_attn", True),
        train_mlp=given.get("train_mlp", True),
        train_unembed=given.get("train_unembed", True),
    )


def texts(metadata: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Metadata goes in as any JSON and comes out as text (TrainingRun.user_metadata)."""
    if metadata is None:
        return None
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in metadata.items()
    }
