"""Patterns of programs that manage runs and checkpoints."""

import http.server
import os
import pathlib
import subprocess
import tarfile
import tempfile
import threading
import urllib.request

import httpx
import tinker
from common import BASE_MODEL, RANK, new_trainer, service


def rest():
    return service().create_rest_client()


def models_of_the_server():
    """The models that the server offers, on the first use of a global client."""
    names = [item.model_name for item in service().get_server_capabilities().supported_models]
    assert BASE_MODEL in names


def table_of_all_checkpoints():
    """Checkpoints of all runs, with the properties of each run from a cache."""
    trainer = new_trainer()
    path = trainer.save_state("listed").result().path
    runs, rows = {}, []
    client = rest()
    for checkpoint in client.list_user_checkpoints(limit=100).result().checkpoints:
        tinker_path = getattr(checkpoint, "tinker_path", "")
        parsed = tinker.ParsedCheckpointTinkerPath.from_tinker_path(tinker_path)
        run_id = parsed.training_run_id
        if run_id not in runs:
            runs[run_id] = client.get_training_run(run_id).result()
        rows.append(
            {
                "path": tinker_path,
                "base_model": runs[run_id].base_model,
                "lora_rank": runs[run_id].lora_rank,
                "created": checkpoint.time.isoformat(),
                "public": checkpoint.public,
                "megabytes": (checkpoint.size_bytes or 0) / 1e6,
            }
        )
    [row] = [row for row in rows if row["path"] == path]
    assert row["base_model"] == BASE_MODEL
    assert row["lora_rank"] == RANK


def pages_of_training_runs():
    """Pages of a fixed size, until the total count is reached."""
    new_trainer().get_info()
    client, runs, offset = rest(), [], 0
    while True:
        page = client.list_training_runs(limit=5, offset=offset).result()
        runs += page.training_runs
        offset += len(page.training_runs)
        if not page.training_runs or offset >= page.cursor.total_count:
            break
    assert len({run.training_run_id for run in runs}) == len(runs) > 0


def archive_by_urlretrieve():
    """The archive of an adapter, downloaded with the standard library and unpacked."""
    saved = new_trainer().save_weights_for_sampler("archived").result()
    response = rest().get_checkpoint_archive_url_from_tinker_path(saved.path).result()
    with tempfile.TemporaryDirectory() as folder:
        archive = os.path.join(folder, "adapter.tar")
        urllib.request.urlretrieve(response.url, archive)
        with tarfile.open(archive) as content:
            content.extractall(folder, filter="data")
        files = {file.name for file in pathlib.Path(folder).rglob("adapter_*")}
    assert {"adapter_config.json", "adapter_model.safetensors"} <= files


async def archive_streamed_by_httpx():
    """The same with a stream and the time at which the URL expires."""
    saved = new_trainer().save_weights_for_sampler("streamed").result()
    signed = await rest().get_checkpoint_archive_url_from_tinker_path_async(saved.path)
    expires = getattr(signed, "expires", None)
    assert expires is None or expires.isoformat()
    size = 0
    async with (
        httpx.AsyncClient(follow_redirects=True, timeout=300, trust_env=False) as http,
        http.stream("GET", signed.url) as response,
    ):
        response.raise_for_status()
        async for part in response.aiter_bytes():
            size += len(part)
    assert size > 1000


def archive_by_the_command():
    """The command `tinker` as a process, with the files of the adapter as the result."""
    path = new_trainer().save_state("by-command").result().path
    with tempfile.TemporaryDirectory() as folder:
        command = ["tinker", "checkpoint", "download", path, "--output", folder, "--force"]
        subprocess.run(command, check=True, capture_output=True)
        files = {file.name for file in pathlib.Path(folder).rglob("adapter_*")}
    assert {"adapter_config.json", "adapter_model.safetensors"} <= files


def existence_by_the_command():
    """The exit code of the command for a checkpoint that exists, and for one that does not."""
    path = new_trainer().save_state("alive").result().path
    codes = [
        subprocess.run(["tinker", "checkpoint", "info", name], capture_output=True).returncode
        for name in (path, f"{path}-missing")
    ]
    assert codes[0] == 0
    assert codes[1] != 0


def publication_of_a_checkpoint():
    """Published checkpoints; a failure is logged and the program continues."""
    client = rest()
    path = new_trainer().save_weights_for_sampler("published").result().path
    record = {"path": path, "published": False}
    try:
        client.publish_checkpoint_from_tinker_path(path).result()
        record["published"] = True
    except Exception as error:
        record["error"] = str(error)
    assert record["published"], record
    client.unpublish_checkpoint_from_tinker_path(path).result()


async def rolling_checkpoints():
    """Only the newest checkpoint is kept; a deleted one raises NotFoundError."""
    trainer, client, previous = new_trainer(), rest(), None
    for step in range(3):
        future = await trainer.save_state_async(f"rolling-{step}", ttl_seconds=7200)
        path = (await future.result_async()).path
        if previous is not None:
            await client.delete_checkpoint_from_tinker_path_async(previous)
        previous, deleted = path, previous
    try:
        await client.get_weights_info_by_tinker_path(deleted)
    except tinker.NotFoundError:
        pass
    else:
        raise AssertionError("the deleted checkpoint is still there")
    info = await client.get_weights_info_by_tinker_path(previous)
    assert info.base_model == BASE_MODEL


def expiry_of_a_checkpoint():
    """A time to live that is set after the fact, and removed again."""
    client = rest()
    path = new_trainer().save_state("expiring").result().path
    client.set_checkpoint_ttl_from_tinker_path(path, 86_400).result()
    client.set_checkpoint_ttl_from_tinker_path(path, None).result()
    run_id = tinker.ParsedCheckpointTinkerPath.from_tinker_path(path).training_run_id
    [checkpoint] = client.list_checkpoints(run_id).result().checkpoints
    assert checkpoint.expires_at is None


async def sessions_and_samplers():
    """The session of a client, its runs and samplers."""
    client = tinker.ServiceClient()
    trainer = await client.create_lora_training_client_async(base_model=BASE_MODEL, rank=RANK)
    await trainer.get_info_async()
    session_id = client.holder.get_session_id()
    session = await client.create_rest_client().get_session_async(session_id)
    assert trainer.model_id in session.training_run_ids
    sessions = await client.create_rest_client().list_sessions_async(limit=100)
    assert session_id in sessions.sessions


class Refusing(http.server.BaseHTTPRequestHandler):
    """A server that accepts no key."""

    def do_POST(self):
        body = b'{"detail": "unknown key"}'
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *arguments):
        """Prints nothing."""


def preflight_of_a_server():
    """A program checks its server before it starts, and explains each kind of error."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        client = tinker.ServiceClient(base_url=f"http://127.0.0.1:{server.server_port}")
        client.get_server_capabilities()
    except tinker.APITimeoutError:
        message = "timed out"
    except tinker.APIConnectionError:
        message = "could not reach the server"
    except tinker.APIStatusError as error:
        message = f"status {error.status_code}"
    finally:
        server.shutdown()
        server.server_close()
    assert message == "status 401"


def settings_from_the_environment():
    """Keyword arguments that are only given if a variable is set."""
    arguments = {}
    if url := os.environ.get("TINKER_BASE_URL"):
        arguments["base_url"] = url
    if key := os.environ.get("TINKER_API_KEY"):
        arguments["api_key"] = key
    client = tinker.ServiceClient(**arguments, user_metadata={"job": "7"}, timeout=600.0)
    assert client.get_server_capabilities().supported_models


def unload_through_the_holder():
    """Requests over the SDK's own HTTP client. tinker_ext has `TrainingClient.unload` instead."""
    from tinker.lib.client_connection_pool_type import ClientConnectionPoolType

    trainer = new_trainer()

    async def unload():
        with trainer.holder.aclient(ClientConnectionPoolType.TRAIN) as client:
            return client

    assert trainer.holder.run_coroutine_threadsafe(unload()).result() is not None
