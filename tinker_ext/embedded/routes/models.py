"""Models: created, described, given up."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tinker_ext.embedded.faults import fault, unprocessable
from tinker_ext.embedded.refusals import RefusalError
from tinker_ext.embedded.routes.call import answer, submitted
from tinker_ext.embedded.store import RunRecord
from tinker_ext.embedded.store.runs import LoraRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call


async def create_model(call: Call) -> Response:
    """The id is made of session and number, in the form that later clients expect."""
    session_id = call.body["session_id"]
    if call.backend.sessions.get(session_id) is None:
        raise RefusalError(404, f"there is no session {session_id!r} here")
    run_id = f"{session_id}:train:{call.number('model_seq_id')}"
    now = time.time()
    run = RunRecord(
        run_id=run_id,
        session_id=session_id,
        base_model=call.body["base_model"],
        lora=_lora(call.body.get("lora_config")),
        user_metadata=_texts(call.body.get("user_metadata")),
        created=now,
        last_request=now,
    )
    request_id = call.backend.models.create(run_id, call.backend.training.create_model(run))
    return submitted(request_id, run_id)


async def get_info(call: Call) -> Response:
    from tinker_ext.embedded.engine.text import tokenizer_folder

    run = call.backend.runs.get(call.body["model_id"])
    if run is None:
        raise RefusalError(404, f"there is no model {call.body['model_id']!r} here")
    model_data = {
        "arch": "llama",
        "model_name": run.base_model,
        "tokenizer_id": str(tokenizer_folder()),
    }
    return answer(
        {
            "type": "get_info",
            "model_id": run.run_id,
            "model_name": run.base_model,
            "is_lora": True,
            "lora_rank": run.lora.rank,
            "model_data": model_data,
        }
    )


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


def _texts(metadata: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Metadata goes in as any JSON and comes out as text (TrainingRun.user_metadata)."""
    if metadata is None:
        return None
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in metadata.items()
    }
