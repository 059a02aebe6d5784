"""Records of what was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinker_ext.embedded.routes.call import answer, timestamp
from tinker_ext.embedded.routes.checkpoints import described

if TYPE_CHECKING:
    from starlette.responses import Response

    from tinker_ext.embedded.routes.call import Call
    from tinker_ext.embedded.store import RunRecord

# Everything here belongs to whoever runs the server.
OWNER = "local"


async def list_training_runs(call: Call) -> Response:
    limit, offset = call.query["limit"], call.query["offset"]
    runs, total = call.backend.runs.page(
        limit=limit, offset=offset, project_id=call.query.get("project_id")
    )
    return answer(
        {
            "training_runs": [_described_run(call, run) for run in runs],
            "cursor": {"offset": offset, "limit": limit, "total_count": total},
        }
    )


async def get_training_run(call: Call) -> Response:
    return answer(_described_run(call, call.run(call.path["training_run_id"])))


def _described_run(call: Call, run: RunRecord) -> dict[str, Any]:
    """One run as the API shows it, with its newest checkpoint of each kind."""
    newest: dict[str, dict[str, Any]] = {}
    for record in call.backend.checkpoints.of_run(run.run_id):
        newest.setdefault(record.name.kind, described(call, record))
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
