"""Checkpoints are saved, listed, loaded, published, deleted and downloaded."""

from __future__ import annotations

import io
import sys
import tarfile
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pyrage
import pytest
from safetensors.numpy import load

if TYPE_CHECKING:
    from tests.unit.embedded.conftest import Api, OpenApi


async def save(api: Api, seq_id: int, name: str | None = "a") -> dict[str, Any]:
    return await api.done("save_weights", model_id=api.model_id, seq_id=seq_id, path=name)


async def test_load_weights_continues_training_exactly(api: Api) -> None:
    await api.new_model()
    for step in range(2):
        await api.forward_backward(2 * step + 1)
        await api.optim_step(2 * step + 2, learning_rate=0.01)
    saved = await save(api, 5)
    assert saved == {"type": "save_weights", "path": f"tinker://{api.model_id}/weights/a"}

    async def two_more_steps(seq_id: int) -> dict[str, Any]:
        await api.forward_backward(seq_id)
        await api.optim_step(seq_id + 1, learning_rate=0.01)
        return await api.forward_backward(seq_id + 2)

    continued = await two_more_steps(6)
    await api.new_model(1, seed=99)
    response = await api.done("load_weights", model_id=api.model_id, seq_id=1, path=saved["path"])
    assert response == {"type": "load_weights", "path": saved["path"]}
    assert await two_more_steps(2) == continued


async def test_saved_checkpoints_are_listed_with_type_size_and_time(api: Api) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    await api.new_model()
    await save(api, 1)
    await api.done("save_weights_for_sampler", model_id=api.model_id, seq_id=2, path="b")
    response = (await api.get(f"training_runs/{api.model_id}/checkpoints")).json()
    assert response["cursor"] is None
    newest, oldest = response["checkpoints"]
    assert (newest["checkpoint_id"], newest["checkpoint_type"]) == ("sampler_weights/b", "sampler")
    assert (oldest["checkpoint_id"], oldest["checkpoint_type"]) == ("weights/a", "training")
    assert oldest["tinker_path"] == f"tinker://{api.model_id}/weights/a"
    assert oldest["size_bytes"] > newest["size_bytes"] > 0, (
        "the training checkpoint includes the optimizer"
    )
    assert oldest["public"] is False
    assert before < datetime.fromisoformat(oldest["time"]) < datetime.now(UTC)

    run = (await api.get(f"training_runs/{api.model_id}")).json()
    assert run["last_checkpoint"] == oldest
    assert run["last_sampler_checkpoint"] == newest
    assert (run["base_model"], run["is_lora"], run["lora_rank"]) == ("embedded/tiny", True, 2)


async def test_lists_are_paged_newest_first(api: Api) -> None:
    for number in range(3):
        await api.new_model(number)
        await save(api, 1)
    pages = [(await api.get("checkpoints", limit=2, offset=offset)).json() for offset in (0, 2, 9)]
    paths = [[item["tinker_path"] for item in page["checkpoints"]] for page in pages]
    runs = [f"tinker://{api.session_id}:train:{number}/weights/a" for number in (2, 1, 0)]
    assert paths == [runs[:2], runs[2:], []]
    assert pages[1]["cursor"] == {"offset": 2, "limit": 2, "total_count": 3}

    page = (await api.get("training_runs", limit=1, offset=1)).json()
    assert [run["training_run_id"] for run in page["training_runs"]] == [
        f"{api.session_id}:train:1"
    ]
    assert page["cursor"] == {"offset": 1, "limit": 1, "total_count": 3}
    assert (await api.get("training_runs")).json()["cursor"]["limit"] == 20
    assert (await api.get("checkpoints")).json()["cursor"]["limit"] == 100


async def test_save_weights_with_existing_name_fails(api: Api) -> None:
    await api.new_model()
    await save(api, 1)
    response = await save(api, 2)
    assert response["category"] == "user"
    assert "exists; choose another name, or delete it first" in response["error"]
    assert "path" in await save(api, 3, "b")


async def test_failed_save_is_not_listed_and_its_name_can_be_used(api: Api) -> None:
    await api.new_model()
    scratch = api.backend.files.root / "scratch"
    scratch.rmdir()
    scratch.write_text("a file instead of a folder, so that writing fails")
    response = await save(api, 1)
    assert response["category"] == "server"
    assert (await api.get("checkpoints")).json()["checkpoints"] == []
    scratch.unlink()
    scratch.mkdir()
    assert (await save(api, 2))["path"].endswith("/weights/a")


async def test_save_without_path_gets_a_name_from_its_seq_id(api: Api) -> None:
    await api.new_model()
    assert (await save(api, 1, None))["path"].endswith("/weights/checkpoint-000001")
    sampler = await api.done("save_weights_for_sampler", model_id=api.model_id, seq_id=2)
    assert sampler["path"].endswith("/sampler_weights/checkpoint-000002")


@pytest.mark.parametrize("name", ["", "..", "a/b", "../../etc/passwd"])
async def test_name_that_leaves_the_folder_is_rejected(api: Api, name: str) -> None:
    await api.new_model()
    response = await save(api, 1, name)
    assert response["category"] == "user"
    assert "is not a valid checkpoint name" in response["error"]
    assert (await api.get("checkpoints")).json()["checkpoints"] == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("weights/a", "is not a checkpoint path"),
        ("tinker://unknown/weights/a", "there is no checkpoint"),
        ("tinker://{model}/sampler_weights/s", "is a sampler checkpoint"),
        ("tinker://{model}/weights/rank4", "rank"),
    ],
)
async def test_load_weights_failure_names_the_reason(api: Api, path: str, reason: str) -> None:
    other = await api.new_model(0, rank=4)
    await save(api, 1, "rank4")
    await api.done("save_weights_for_sampler", model_id=api.model_id, seq_id=2, path="s")
    await api.new_model(1)
    response = await api.done(
        "load_weights", model_id=api.model_id, seq_id=1, path=path.format(model=other)
    )
    assert response["category"] == "user"
    assert reason in response["error"]
    assert "loss_fn_outputs" in await api.forward_backward(2), "the model is unchanged"


async def test_deleted_checkpoint_is_removed_from_list_and_disk(api: Api) -> None:
    await api.new_model()
    path = (await save(api, 1))["path"]
    url = f"training_runs/{api.model_id}/checkpoints/weights/a"
    folder = api.backend.files.checkpoint(api.model_id, "weights", "a")
    assert folder.is_dir()
    assert (await api.http.delete(f"/api/v1/{url}")).status_code == 200
    assert not folder.exists()
    assert (await api.http.delete(f"/api/v1/{url}")).status_code == 404
    assert (await api.get("checkpoints")).json()["checkpoints"] == []
    response = await api.done("load_weights", model_id=api.model_id, seq_id=2, path=path)
    assert "there is no checkpoint" in response["error"]
    assert "path" in await save(api, 3), "the name can be used again"


async def test_publish_and_unpublish_checkpoint(api: Api) -> None:
    await api.new_model()
    await save(api, 1)
    url = f"/api/v1/training_runs/{api.model_id}/checkpoints/weights/a/publish"

    async def public() -> bool:
        flag: bool = (await api.get("checkpoints")).json()["checkpoints"][0]["public"]
        return flag

    headers = {"Content-Type": "application/json"}
    assert (await api.http.post(url, headers=headers)).status_code == 200
    assert await public()
    assert (await api.http.delete(url)).status_code == 200
    assert not await public()


@pytest.mark.parametrize("kind", ["weights", "nonsense"])
async def test_unknown_checkpoint_returns_404(api: Api, kind: str) -> None:
    await api.new_model()
    url = f"/api/v1/training_runs/{api.model_id}/checkpoints/{kind}/none"
    for response in (
        await api.http.delete(url),
        await api.http.get(f"{url}/archive"),
        await api.http.post(f"{url}/publish"),
        await api.http.delete(f"{url}/publish"),
    ):
        assert response.status_code == 404
        assert kind in response.json()["detail"]
    assert (await api.get("training_runs/unknown/checkpoints")).status_code == 404


async def test_archive_is_downloaded_from_a_signed_url(api: Api) -> None:
    await api.new_model()
    await save(api, 1)
    url = f"/api/v1/training_runs/{api.model_id}/checkpoints/weights/a/archive"
    redirect = await api.http.get(url)
    assert redirect.status_code == 302
    remaining = parsedate_to_datetime(redirect.headers["expires"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < remaining <= timedelta(minutes=15)

    location = redirect.headers["location"]
    assert location.startswith("http://127.0.0.1:8765/archives/")
    archive = await api.http.get(location)
    assert archive.headers["content-type"] == "application/gzip"
    assert int(archive.headers["content-length"]) == len(archive.content)
    folder = api.backend.files.checkpoint(api.model_id, "weights", "a")
    with tarfile.open(fileobj=io.BytesIO(archive.content), mode="r:gz") as tar:
        assert sorted(tar.getnames()) == sorted(file.name for file in folder.iterdir())
        for member in tar.getmembers():
            content = tar.extractfile(member)
            assert content is not None
            assert content.read() == (folder / member.name).read_bytes()
    assert list((api.backend.files.root / "scratch").iterdir()) == []

    for changed in (location[:-1], location.replace("expires=", "expires=9"), url[:-8]):
        assert (await api.http.get(changed)).status_code in (403, 405)


async def test_samples_use_the_saved_weights(api: Api) -> None:
    await api.new_model()
    await api.forward_backward(1)
    await api.optim_step(2, learning_rate=0.05)
    named = await api.done("save_weights_for_sampler", model_id=api.model_id, seq_id=3, path="s")
    ephemeral = await api.done(
        "save_weights_for_sampler", model_id=api.model_id, seq_id=4, sampling_session_seq_id=0
    )
    assert ephemeral == {
        "type": "save_weights_for_sampler",
        "sampling_session_id": f"{api.session_id}:sample:0",
    }
    sources = (
        {"model_path": named["path"]},
        {"sampling_session_id": ephemeral["sampling_session_id"]},
    )
    greedy = {"sampling_params": {"max_tokens": 8, "temperature": 0}}
    trained = [await api.done("asample", **api.sample_body(**s, **greedy)) for s in sources]
    base = await api.done("asample", **api.sample_body(base_model="embedded/tiny", **greedy))
    assert trained[0] == trained[1] != base

    folder = api.backend.files.checkpoint(api.model_id, "sampler_weights", "s")
    assert len(load((folder / "adapter_model.safetensors").read_bytes())) > 0
    assert len((await api.get("checkpoints")).json()["checkpoints"]) == 1, (
        "the unnamed weights are unlisted"
    )


async def test_samples_use_new_weights_after_delete_and_save_with_same_name(api: Api) -> None:
    await api.new_model()
    greedy = {"sampling_params": {"max_tokens": 8, "temperature": 0}}
    responses = []
    for round_ in range(2):
        first = 3 * round_ + 1
        named = await api.done(
            "save_weights_for_sampler", model_id=api.model_id, seq_id=first, path="s"
        )
        body = api.sample_body(model_path=named["path"], **greedy)
        responses.append(await api.done("asample", **body))
        await api.http.delete(f"/api/v1/training_runs/{api.model_id}/checkpoints/sampler_weights/s")
        await api.forward_backward(first + 1)
        await api.optim_step(first + 2, learning_rate=0.05)
    assert responses[0] != responses[1]


async def test_external_weights_are_downloaded_from_one_url_per_file(open_api: OpenApi) -> None:
    async with open_api("0.38") as api:
        await download_external_weights(api)


async def download_external_weights(api: Api) -> None:
    await api.new_model()
    result = await api.done(
        "save_weights_external", model_id=api.model_id, seq_id=1, path="out", ttl_seconds=3600
    )
    assert result["path"] == f"tinker://{api.model_id}/external_weights/out"
    (listed,) = (await api.get("checkpoints")).json()["checkpoints"]
    assert (listed["checkpoint_type"], listed["size_bytes"]) == ("external", result["size_bytes"])
    assert listed["expires_at"] is not None
    base = f"training_runs/{api.model_id}/checkpoints"
    urls = (await api.get(f"{base}/external_weights/out/external_weights_urls")).json()["urls"]
    assert set(urls) == {"adapter_config.json", "adapter_model.safetensors"}
    responses = {name: await api.http.get(url) for name, url in urls.items()}
    assert sum(len(response.content) for response in responses.values()) == result["size_bytes"]
    assert load(responses["adapter_model.safetensors"].content)
    url = urls["adapter_model.safetensors"]
    part = await api.http.get(url, headers={"Range": "bytes=10-"})
    assert part.status_code == 206
    assert part.content == responses["adapter_model.safetensors"].content[10:]
    api.http.event_hooks["response"].clear()
    for invalid in (
        url.replace("model.safetensors", "config.json"),
        url[:-1],
        url.partition("?")[0],
    ):
        assert (await api.http.get(invalid)).status_code == 403
    await save(api, 2)
    assert (await api.get(f"{base}/weights/a/external_weights_urls")).status_code == 404


async def test_external_weights_are_encrypted_to_age_recipients(open_api: OpenApi) -> None:
    async with open_api("0.38") as api:
        await download_encrypted_weights(api)


async def download_encrypted_weights(api: Api) -> None:
    await api.new_model()
    identities = [pyrage.x25519.Identity.generate() for _ in range(2)]
    result = await api.done(
        "save_weights_external",
        model_id=api.model_id,
        seq_id=1,
        path="out",
        age_encryption_recipients=[str(identity.to_public()) for identity in identities],
    )
    base = f"training_runs/{api.model_id}/checkpoints"
    urls = (await api.get(f"{base}/external_weights/out/external_weights_urls")).json()["urls"]
    assert set(urls) == {"adapter_config.json.age", "adapter_model.safetensors.age"}
    encrypted = {name: (await api.http.get(url)).content for name, url in urls.items()}
    assert sum(map(len, encrypted.values())) == result["size_bytes"]
    for identity in identities:
        assert load(pyrage.decrypt(encrypted["adapter_model.safetensors.age"], [identity]))
    stranger = pyrage.x25519.Identity.generate()
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(encrypted["adapter_config.json.age"], [stranger])
    folder = api.backend.files.checkpoint(api.model_id, "external_weights", "out")
    assert {file.name for file in folder.iterdir()} == set(urls), "nothing is left unencrypted"

    sample = await api.done("asample", **api.sample_body(model_path=result["path"]))
    assert sample["error"] == "these weights are encrypted"
    copied = await api.post("copy_weights", source_path=result["path"])
    assert (copied.status_code, "is encrypted" in copied.text) == (400, True)


@pytest.mark.parametrize(
    ("recipients", "message"),
    [
        (["age1key"], "[0] is neither an age recipient"),
        (["ssh-ed25519 x"], "[0] is neither an age recipient"),
        (["age1key"] * 11, "expected at most 10 recipients, got 11"),
    ],
)
async def test_invalid_encryption_recipient_is_rejected(
    open_api: OpenApi, recipients: list[str], message: str
) -> None:
    async with open_api("0.38") as api:
        await request_encryption(api, recipients, message)


async def request_encryption(api: Api, recipients: list[str], message: str) -> None:
    await api.new_model()
    api.http.event_hooks["response"].clear()
    body = {"model_id": api.model_id, "seq_id": 1, "path": "out"}
    rejected = await api.post("save_weights_external", age_encryption_recipients=recipients, **body)
    assert rejected.status_code == 422
    assert message in rejected.json()["detail"][0]["msg"]
    assert "path" in await save(api, 2), "the rejected seq_id does not block"


async def test_encryption_without_pyrage_is_rejected(
    open_api: OpenApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyrage", None)
    async with open_api("0.38") as api:
        await api.new_model()
        api.http.event_hooks["response"].clear()
        body = {"model_id": api.model_id, "seq_id": 1, "path": "out"}
        rejected = await api.post(
            "save_weights_external", age_encryption_recipients=["age1key"], **body
        )
        assert rejected.status_code == 422
        assert "pip install pyrage" in rejected.text
