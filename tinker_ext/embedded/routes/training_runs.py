"""Lists and describes training runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinker_ext.embedded.routes.call import json_response, timestamp
from tinker_ext.embedded.routes.checkpoints import describe

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call
    from tinker_ext.embedded.store import RunRecord

# All runs belong to the user who runs the server.
OWNER = "local"


async def list_training_runs(call: Call) -> Response:
    limit, offset = call.query["limit"], call.query["offset"]
    runs, total = call.backend.runs.page(
        limit=limit, offset=offset, project_id=call.query.get("project_id")
    )
    return json_response(
        {
            "training_runs": [_describe_run(call, run) for run in runs],
            "cursor": {"offset": offset, "limit": limit, "total_count": total},
        }
    )


async def get_training_run(call: Call) -> Response:
    return json_response(_describe_run(call, call.run(call.path["training_run_id"])))


def _describe_run(call: Call, run: RunRecord) -> dict[str, Any]:
    """One run as an object of the API, with its newest checkpoint of each kind."""
    newest: dict[str, dict[str, Any]] = {}
    for record in call.backend.checkpoints.of_run(run.run_id):
        newest.setdefault(record.name.kind, describe(call, record))
    return {
        "training_run_id": run.run_id,
        "base_model": run.base_model,
        "model_owner": OWNER,
        "is_lora": True,
        "corrupted": False,
        "lora_rank": run.lora.rank,
        "last_request_time": timestamp(run.last_request),
        "last_checkpoint": newest.get("weights"),
        "last_sampler_checkpoint": newest.get("sampler_weights"),
        "user_metadata": run.user_metadata,
    }
