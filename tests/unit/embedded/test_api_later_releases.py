"""Operations of releases after 0.4.1: checkpoint expiry, copies, look-ups, load as a new model."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Api, OpenApi


@pytest.fixture
def api(latest: Api) -> Api:
    return latest


async def save(api: Api, seq_id: int, **body: Any) -> str:
    response = await api.done("save_weights", model_id=api.model_id, seq_id=seq_id, **body)
    path: str = response["path"]
    return path


async def checkpoints(api: Api) -> list[dict[str, Any]]:
    response = await api.get(f"training_runs/{api.model_id}/checkpoints")
    result: list[dict[str, Any]] = response.json()["checkpoints"]
    return result


async def test_expired_checkpoint_is_not_listed_and_its_name_is_free(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.new_model()
    path = await save(api, 1, path="a", ttl_seconds=60, user_metadata={"k": "v"})
    await save(api, 2, path="b")
    sampler = {"model_id": api.model_id, "seq_id": 3, "path": "c", "ttl_seconds": 60}
    await api.done("save_weights_for_sampler", **sampler)
    listed = {checkpoint["checkpoint_id"]: checkpoint for checkpoint in await checkpoints(api)}
    assert listed["weights/a"]["expires_at"] is not None
    assert listed["weights/a"]["user_metadata"] == {"k": "v"}
    assert listed["weights/b"]["expires_at"] is None
    assert listed["sampler_weights/c"]["expires_at"] is not None

    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    assert [checkpoint["checkpoint_id"] for checkpoint in await checkpoints(api)] == ["weights/b"]
    all_checkpoints = (await api.get("checkpoints")).json()["checkpoints"]
    assert [item["checkpoint_id"] for item in all_checkpoints] == ["weights/b"]
    run = (await api.get(f"training_runs/{api.model_id}")).json()
    assert run["last_checkpoint"]["checkpoint_id"] == "weights/b"
    assert run["last_sampler_checkpoint"] is None
    assert (await api.post("weights_info", tinker_path=path)).status_code == 404
    assert await save(api, 4, path="a") == path, "the name can be used again"


async def test_set_checkpoint_ttl_sets_and_clears_expires_at(api: Api) -> None:
    await api.new_model()
    await save(api, 1, path="a")
    url = f"/api/v1/training_runs/{api.model_id}/checkpoints/weights/a/ttl"
    for seconds in (3600, None):
        assert (await api.http.put(url, json={"ttl_seconds": seconds})).status_code == 200
        assert ((await checkpoints(api))[0]["expires_at"] is None) == (seconds is None)
    assert (await api.http.put(url, json={"ttl_seconds": 0})).status_code == 422


async def test_save_weights_with_overwrite_replaces_the_checkpoint(api: Api) -> None:
    await api.new_model()
    path = await save(api, 1, path="a")
    failure = await api.done("save_weights", model_id=api.model_id, seq_id=2, path="a")
    assert "exists" in failure["error"]
    assert await save(api, 3, path="a", overwrite=True) == path
    assert len(await checkpoints(api)) == 1
    loaded = {"model_id": api.model_id, "seq_id": 4, "path": path, "optimizer": True}
    assert (await api.done("load_weights", **loaded))["path"] == path


async def test_load_weights_without_model_id_creates_a_model_once(api: Api) -> None:
    await api.new_model(rank=3, train_mlp=False)
    path = await save(api, 1, path="a")
    body = {"session_id": api.session_id, "model_seq_id": 7, "path": path, "optimizer": False}
    created = await api.done("load_weights", **body)
    assert created["model_id"] == f"{api.session_id}:train:7"
    assert await api.done("load_weights", **body) == created, (
        "a repeated request creates no second model"
    )
    info = (await api.post("get_info", model_id=created["model_id"])).json()
    assert (info["lora_rank"], info["optimizer_config"]) == (3, {"type": "adamw"})
    step = {"model_id": created["model_id"], "seq_id": 1, "adam_params": {}}
    assert "metrics" in await api.done("optim_step", **step)
    missing = await api.post("load_weights", path=path, optimizer=True)
    assert [item["loc"][-1] for item in missing.json()["detail"]] == ["session_id", "model_seq_id"]


async def test_weights_info_and_get_sampler(api: Api) -> None:
    await api.new_model(rank=3, train_unembed=False)
    path = await save(api, 1, path="a")
    info = (await api.post("weights_info", tinker_path=path)).json()
    assert (info["base_model"], info["lora_rank"]) == ("embedded/tiny", 3)
    assert "lora_alpha" not in info, "no release has this field"
    assert (info["train_attn"], info["train_unembed"]) == (True, False)

    opened = await api.post(
        "create_sampling_session",
        session_id=api.session_id,
        sampling_session_seq_id=0,
        model_path=path,
    )
    sampler_id = opened.json()["sampling_session_id"]
    sampler = (await api.get(f"samplers/{sampler_id}")).json()
    assert (sampler["base_model"], sampler["model_path"]) == ("embedded/tiny", path)
    assert (await api.get("samplers/unknown")).status_code == 404

    body = api.sample_body(sampling_session_id=sampler_id, seq_id=0, num_samples=2)
    submitted = (await api.post("asample", **body)).json()
    assert len(set(submitted["sample_sequence_ids"])) == 2
    last = {"prompt_logprobs": True, "prompt_logprobs_last_n": 2, "topk_prompt_logprobs": 1}
    scores = await api.done("asample", **{**body, **last, "seq_id": 1})
    for name in ("prompt_logprobs", "topk_prompt_logprobs"):
        assert [score is None for score in scores[name][-3:]] == [True, False, False]


async def test_list_move_and_finish_session(api: Api) -> None:
    await api.new_model()
    path = f"sessions/{api.session_id}"
    result = (await api.get(path)).json()
    assert result["training_run_ids"] == [api.model_id]
    assert (await api.get("sessions")).json() == {"sessions": [api.session_id]}
    moved = await api.http.put(f"/api/v1/{path}/project", json={"project_id": "p"})
    assert moved.status_code == 200
    for project, count in (("p", 1), ("q", 0)):
        page = (await api.get("training_runs", project_id=project)).json()
        assert page["cursor"]["total_count"] == count
    assert (await api.get("sessions", access_scope="all")).status_code == 422

    assert (await api.post("session_heartbeat", session_id=api.session_id)).status_code == 200
    finished = await api.post(f"{path}/finish", reason={"type": "success"}, detail=None)
    assert finished.status_code == 200
    assert (await api.post("session_heartbeat", session_id=api.session_id)).status_code == 410
    assert (await api.get("sessions/unknown")).status_code == 404


async def test_copy_weights_survives_deletion_of_the_source(api: Api) -> None:
    await api.new_model()
    path = await save(api, 1, path="a")
    headers = {"x-idempotency-key": "k"}
    copies = [
        (
            await api.http.post("/api/v1/copy_weights", json={"source_path": path}, headers=headers)
        ).json()["tinker_path"]
        for _ in range(2)
    ]
    assert copies[0] == copies[1] != path
    run, kind, name = path.removeprefix("tinker://").split("/")
    await api.http.delete(f"/api/v1/training_runs/{run}/checkpoints/{kind}/{name}")
    loaded = {"model_id": api.model_id, "seq_id": 2, "path": copies[0], "optimizer": True}
    assert (await api.done("load_weights", **loaded))["path"] == copies[0]


async def test_allow_metadata_only_returns_the_size_of_a_large_result(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tinker_ext.embedded.routes import futures

    monkeypatch.setattr(futures, "METADATA_ONLY_BYTES", 10)
    await api.new_session()
    body = api.sample_body(base_model="embedded/tiny")
    request_id = await api.submit("asample", **body)
    metadata = await api.post("retrieve_future", request_id=request_id, allow_metadata_only=True)
    assert metadata.json()["status"] == "complete_metadata"
    fetched = await api.post("retrieve_future", request_id=request_id)
    assert metadata.json()["response_payload_size"] == len(fetched.content)


async def test_retrieve_futures_lists_completed_samples_per_client(api: Api) -> None:
    opened = await api.post(
        "create_sampling_session",
        session_id=await api.new_session(),
        sampling_session_seq_id=0,
        base_model="embedded/tiny",
    )
    sampler_id = opened.json()["sampling_session_id"]
    target = {"sampling_session_id": sampler_id}
    none = await api.post("retrieve_futures", target=target, timeout=0)
    assert none.json() == {"completions": [], "cursor": 0}

    body = api.sample_body(sampling_session_id=sampler_id)
    good = await api.submit("asample", **body, seq_id=0)
    await api.result(good)
    bad = await api.submit("asample", **{**body, "sampling_params": {"top_p": 7}}, seq_id=1)
    clone = await api.submit("asample", **body, seq_id=1_000_000_001)
    response = (await api.post("retrieve_futures", target=target)).json()
    states = {item["request_id"]: item["state"] for item in response["completions"]}
    assert states == {good: "finished", bad: "failed"}
    assert response["cursor"] == 2
    again = await api.post("retrieve_futures", target=target, prev_cursor=2, timeout=0.01)
    assert again.json() == {"completions": [], "cursor": 2}

    of_clone = {**target, "cloned_sampler_id": 1}
    response = (await api.post("retrieve_futures", target=of_clone)).json()
    assert [item["request_id"] for item in response["completions"]] == [clone]
    unknown = await api.post("retrieve_futures", target={"sampling_session_id": "x"})
    assert unknown.status_code == 404


async def test_state_folder_of_first_layout_is_upgraded(open_api: OpenApi, tmp_path: Path) -> None:
    async with open_api() as before:
        await before.new_model()
        path = await save(before, 1, path="a")
    with sqlite3.connect(tmp_path / "state" / "state.sqlite3") as connection:
        for table, columns in (
            ("sessions", ("project_id", "display_name", "finished")),
            ("checkpoints", ("expires", "user_metadata")),
            ("samplers", ("joined",)),
        ):
            for column in columns:
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    async with open_api() as after:
        assert (await after.post("weights_info", tinker_path=path)).status_code == 200
        await after.new_session()
