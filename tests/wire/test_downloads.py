"""Downloads of checkpoints: requests to the API and to storage, and files on the disk."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import logging
import stat
import tarfile
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import tinker_ext as tinker
from tests.builders import announce
from tests.waiting import comes_true
from tests.wire.storage import SIGNATURE, Fault, Storage, storage
from tinker_ext.clients.downloads import partial_file, transfer
from tinker_ext.testing import FakeServer, Reply, SimulatedTime, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tinker_ext.types import DownloadProgress

EXTERNAL = "tinker://run-1/external_weights/final"
TRAINING = "tinker://run-1/weights/final"
SAMPLER = "tinker://run-1/sampler_weights/final"
CONTENT = bytes(range(256)) * 1000
OTHER = bytes(reversed(CONTENT))
NO_SUCH_ROUTE = Reply(404, {"detail": "Not Found"})


@pytest.fixture
def store() -> Iterator[Storage]:
    with storage() as served:
        served.files["/weights"] = CONTENT
        yield served


@pytest.fixture
def server(store: Storage) -> FakeServer:
    """Like release 0.38.0: external weights of one file, no archives."""
    server = FakeServer()
    announce(server)
    server.respond_always("get_checkpoint_archive_url", NO_SUCH_ROUTE)
    offer(server, store, {"weights.safetensors": "/weights"})
    return server


@pytest.fixture
def time() -> SimulatedTime:
    return SimulatedTime()


@pytest.fixture
def rest(server: FakeServer, time: SimulatedTime) -> Iterator[tinker.RestClient]:
    with make_client(server, clock=time.clock, retry_window=30) as service:
        yield service.create_rest_client()


def offer(server: FakeServer, store: Storage, files: dict[str, str]) -> None:
    """Makes the server return signed URLs of files that are valid for an hour."""
    expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    urls = {name: store.signed(path) for name, path in files.items()}
    reply = Reply(200, {"urls": urls, "expires": expires})
    server.respond_always("get_external_weights_urls", reply)


def archive_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def download(rest: tinker.RestClient, to: Path, path: str = EXTERNAL, **more: Any) -> Any:
    return rest.download_checkpoint(path, to, **more).result(60)


def saved(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


WEIGHTS = "run-1_external_weights_final/weights.safetensors"
PART = "run-1_external_weights_final.part/weights.safetensors.part"


def test_external_weights_are_saved_as_private_files(
    rest: tinker.RestClient, server: FakeServer, store: Storage, tmp_path: Path
) -> None:
    store.files |= {"/config": b"{}", "/empty": b""}
    offer(server, store, {"a/weights": "/weights", "config.json": "/config", "e": "/empty"})
    result = download(rest, tmp_path / "new" / "models")
    folder = tmp_path / "new" / "models" / "run-1_external_weights_final"
    assert result.folder == folder
    assert result.archive is None
    assert result.size_bytes == len(CONTENT) + 2
    assert set(result.files) == {folder / "a" / "weights", folder / "config.json", folder / "e"}
    assert saved(tmp_path / "new") == {
        f"models/{folder.name}/a/weights": CONTENT,
        f"models/{folder.name}/config.json": b"{}",
        f"models/{folder.name}/e": b"",
    }
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert server.calls("create_session") == []


def test_api_key_is_not_sent_to_storage(
    rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    download(rest, tmp_path)
    (request,) = store.requests
    assert "x-api-key" not in request.headers
    assert "tml-" not in str(request.headers)
    assert request.headers["accept-encoding"] == "identity"


def test_interrupted_download_resumes_at_its_offset(
    rest: tinker.RestClient, server: FakeServer, store: Storage, tmp_path: Path
) -> None:
    store.faults += [Fault(cut=100_000), Fault(status=503), Fault(cut=50_000)]
    download(rest, tmp_path)
    assert saved(tmp_path) == {WEIGHTS: CONTENT}
    assert store.ranges == [None, "bytes=100000-", "bytes=100000-", "bytes=150000-"]
    assert [request.if_range for request in store.requests] == [None, *['"first"'] * 3]
    assert len(server.calls("get_external_weights_urls")) == 1


def test_ignored_range_restarts_the_download(
    rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    store.faults += [Fault(cut=100_000), Fault(ignores_range=True)]
    download(rest, tmp_path)
    assert saved(tmp_path) == {WEIGHTS: CONTENT}
    assert store.ranges == [None, "bytes=100000-"]


@pytest.mark.parametrize("changed", ["whole file", "range of another version"])
def test_changed_file_is_downloaded_from_the_start(
    changed: str, rest: tinker.RestClient, store: Storage, time: SimulatedTime, tmp_path: Path
) -> None:
    def change(_: float) -> None:
        store.files["/weights"] = OTHER
        if changed == "whole file":
            store.etag = '"second"'

    time.on_sleep = change
    other = Fault(headers={"etag": '"second"'})
    store.faults += [Fault(cut=100_000), *([other] if store.etag and "range" in changed else [])]
    download(rest, tmp_path)
    assert saved(tmp_path) == {WEIGHTS: OTHER}
    assert store.ranges[:2] == [None, "bytes=100000-"]


@pytest.mark.parametrize(
    "described", ["bytes 100000-255999/256001", "bytes 99999-255999/256000", "nonsense"]
)
def test_mismatched_content_range_is_not_appended(
    described: str, rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    store.faults += [Fault(cut=100_000), Fault(headers={"content-range": described})]
    download(rest, tmp_path)
    assert saved(tmp_path) == {WEIGHTS: CONTENT}
    assert store.ranges == [None, "bytes=100000-", None]


def test_response_shorter_than_announced_is_completed(
    rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    short = {"content-length": "1000"}
    store.faults += [Fault(cut=100_000), Fault(cut=1000, headers=short)]
    download(rest, tmp_path)
    assert saved(tmp_path) == {WEIGHTS: CONTENT}
    assert store.ranges == [None, "bytes=100000-", "bytes=101000-"]


def test_file_larger_than_announced_raises(
    rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    store.etag = None
    length = {"content-range": "bytes 100000-255999/200000"}
    store.faults += [Fault(cut=100_000, headers={"content-length": "200000"})]
    store.faults += [
        Fault(headers=length),
        Fault(cut=100_000, headers={"content-length": "200000"}),
    ]
    store.faults += [Fault(headers=length)]
    with pytest.raises(tinker.DownloadError, match="it has 256000 bytes, expected 200000"):
        download(rest, tmp_path)
    assert saved(tmp_path) == {}


def digests(content: bytes) -> dict[str, dict[str, str]]:
    """The digest of a file in each supported header."""
    md5, sha = hashlib.md5(content).digest(), hashlib.sha256(content).digest()
    short, long = base64.b64encode(md5).decode(), base64.b64encode(sha).decode()
    return {
        "Content-MD5": {"content-md5": short},
        "Repr-Digest": {"repr-digest": f"unknown=:AAAA:, sha-256=:{long}:"},
        "Digest": {"digest": f"SHA-256={long}"},
        "Google": {"x-goog-hash": f"crc32c=AAAAAA==,md5={short}"},
        "Amazon": {"x-amz-checksum-sha256": long},
    }


@pytest.mark.parametrize("source", digests(b""))
def test_digest_mismatch_downloads_once_more(
    source: str, rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    store.headers = digests(CONTENT)[source]
    wrong = Fault(headers=digests(OTHER)[source])
    store.faults.append(wrong)
    download(rest, tmp_path)
    assert store.ranges == [None, None]
    store.faults += [wrong, wrong, wrong]
    with pytest.raises(tinker.DownloadError, match=r"wrong contents: its (md5|sha256) is"):
        download(rest, tmp_path / "again")
    assert len(store.requests) == 4
    assert saved(tmp_path / "again") == {}


def test_digest_mismatch_with_interruptions_is_not_retried_forever(
    rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    store.files["/weights"] = CONTENT * 10
    store.headers = digests(OTHER)["Repr-Digest"]
    store.faults += [Fault(cut=1_500_000), Fault()] * 3
    with pytest.raises(tinker.DownloadError, match="wrong contents"):
        download(rest, tmp_path)
    assert store.ranges == [None, "bytes=1500000-"] * 2


def test_later_call_resumes_a_partial_file(
    rest: tinker.RestClient, server: FakeServer, store: Storage, tmp_path: Path
) -> None:
    store.faults += [Fault(cut=100_000), *[Fault(status=501)] * 2]
    with pytest.raises(tinker.InternalServerError):
        download(rest, tmp_path)
    assert saved(tmp_path)[PART] == CONTENT[:100_000]
    assert stat.S_IMODE((tmp_path / PART).stat().st_mode) == 0o600
    store.faults.clear()
    with make_client(server) as service:
        download(service.create_rest_client(), tmp_path)
    assert saved(tmp_path) == {WEIGHTS: CONTENT}
    assert store.requests[-1].range == "bytes=100000-"
    assert store.requests[-1].if_range == '"first"'


def test_later_call_keeps_complete_files(
    rest: tinker.RestClient,
    server: FakeServer,
    store: Storage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transfer, "CONCURRENT_FILES", 1)
    store.files["/other"] = OTHER
    offer(server, store, {"one": "/weights", "two": "/refused"})
    with pytest.raises(tinker.PermissionDeniedError):
        download(rest, tmp_path)
    store.requests.clear()
    offer(server, store, {"one": "/weights", "two": "/other"})
    download(rest, tmp_path)
    assert saved(tmp_path / "run-1_external_weights_final") == {"one": CONTENT, "two": OTHER}
    ranges = {request.path: request.range for request in store.requests}
    assert ranges == {"/weights": f"bytes={len(CONTENT)}-", "/other": None}


def test_later_call_without_a_validator_restarts(
    rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    store.etag = None
    store.faults += [Fault(cut=100_000), Fault(cut=10_000), Fault(status=501)]
    with pytest.raises(tinker.InternalServerError):
        download(rest, tmp_path)
    assert store.ranges == [None, "bytes=100000-", "bytes=110000-"]
    download(rest, tmp_path)
    assert store.ranges[3:] == [None]
    assert saved(tmp_path) == {WEIGHTS: CONTENT}


@pytest.mark.parametrize("first", ['W/"first"', '"\xe9"'])
def test_change_of_a_tag_that_is_not_sent_restarts(
    first: str, rest: tinker.RestClient, store: Storage, time: SimulatedTime, tmp_path: Path
) -> None:
    def change(_: float) -> None:
        store.files["/weights"], store.etag = OTHER, 'W/"second"'

    time.on_sleep = change
    store.etag = first
    store.faults.append(Fault(cut=100_000))
    download(rest, tmp_path)
    assert saved(tmp_path) == {WEIGHTS: OTHER}
    assert store.ranges == [None, "bytes=100000-", None]
    assert {request.if_range for request in store.requests} == {None}


def test_unchanged_weak_tag_resumes(
    rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    store.etag = 'W/"first"'
    store.faults += [Fault(cut=100_000), Fault(cut=50_000)]
    download(rest, tmp_path)
    assert saved(tmp_path) == {WEIGHTS: CONTENT}
    assert store.ranges == [None, "bytes=100000-", "bytes=150000-"]
    assert {request.if_range for request in store.requests} == {None}


@pytest.mark.parametrize("name", ["etag", "last-modified"])
@pytest.mark.parametrize("value", ['"\xe9"', '"a\tb"'])
def test_validator_that_is_not_printable_ascii_is_not_sent(
    name: str, value: str, rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    store.etag, store.headers = None, {name: value}
    store.faults.append(Fault(cut=100_000))
    download(rest, tmp_path)
    assert saved(tmp_path) == {WEIGHTS: CONTENT}
    assert store.ranges == [None, "bytes=100000-"]
    assert store.requests[1].if_range is None


@pytest.mark.parametrize("validator", ['"\xe9"', "a\nb", "", None, 1])
def test_partial_file_with_unusable_validator_restarts(
    validator: object, rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    part = tmp_path / PART
    part.parent.mkdir()
    part.write_bytes(OTHER[:100_000])
    description = {"size": len(CONTENT), "validator": validator}
    part.with_name(f"{part.name}.json").write_text(json.dumps(description))
    download(rest, tmp_path)
    assert saved(tmp_path) == {WEIGHTS: CONTENT}
    assert store.ranges == [None]


def test_rejected_url_is_replaced(
    rest: tinker.RestClient, server: FakeServer, store: Storage, tmp_path: Path
) -> None:
    store.faults += [Fault(cut=100_000), Fault(status=403)]
    download(rest, tmp_path)
    assert saved(tmp_path) == {WEIGHTS: CONTENT}
    assert store.ranges == [None, "bytes=100000-", "bytes=100000-"]
    assert len(server.calls("get_external_weights_urls")) == 2


@pytest.mark.parametrize(("minutes", "signed"), [(54, 1), (56, 2)])
def test_url_is_replaced_five_minutes_before_it_expires(
    minutes: int,
    signed: int,
    rest: tinker.RestClient,
    server: FakeServer,
    store: Storage,
    time: SimulatedTime,
    tmp_path: Path,
) -> None:
    store.files["/weights"] = CONTENT * 10
    store.faults.append(Fault(cut=2_000_000))

    def pass_by(_: DownloadProgress) -> None:
        if time.passed == 0:
            time.pass_by(60 * minutes)

    download(rest, tmp_path, progress=pass_by)
    assert saved(tmp_path) == {WEIGHTS: CONTENT * 10}
    assert len(server.calls("get_external_weights_urls")) == signed


def test_permanent_rejection_raises_without_the_signature(
    rest: tinker.RestClient, store: Storage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store.faults += [Fault(status=403)] * 5
    with pytest.raises(tinker.PermissionDeniedError) as caught:
        download(rest, tmp_path)
    assert len(store.requests) == 2
    secret = SIGNATURE.partition("=")[2]
    assert secret not in f"{caught.value} {caught.value!r} {caught.value.body} {caplog.text}"
    assert "/weights" in caplog.text, "httpx logs the URL, without its query"


def test_lost_connection_raises_without_the_signature(
    rest: tinker.RestClient, server: FakeServer, store: Storage, tmp_path: Path
) -> None:
    urls = {"a": f"http://127.0.0.1:9/a?{SIGNATURE}"}
    body = {"urls": urls, "expires": "2099-01-01T00:00:00Z"}
    server.respond_always("get_external_weights_urls", Reply(200, body))
    with pytest.raises(tinker.APIConnectionError) as caught:
        download(rest, tmp_path)
    assert "http://127.0.0.1:9" in str(caught.value)
    assert SIGNATURE.partition("=")[2] not in str(caught.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "/srv/models/a", "ftp://host/a", "http://"])
def test_url_that_is_not_http_raises(
    url: str, rest: tinker.RestClient, server: FakeServer, tmp_path: Path
) -> None:
    body = {"urls": {"a": url}, "expires": "2099-01-01T00:00:00Z"}
    server.respond_always("get_external_weights_urls", Reply(200, body))
    with pytest.raises(tinker.APIResponseValidationError, match="URL that is not valid"):
        download(rest, tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        *([name] for name in ("../evil", "/etc/evil", "a/../../evil", "C:\\evil", "..\\evil")),
        *(["a\0b"], [""], ["."], ["a", "./a"], ["a", "a/b"]),
    ],
)
def test_file_names_outside_the_folder_raise(
    names: list[str], rest: tinker.RestClient, server: FakeServer, store: Storage, tmp_path: Path
) -> None:
    offer(server, store, dict.fromkeys(names, "/weights"))
    with pytest.raises(
        tinker.DownloadError, match=r"the server sent (an unsafe file name|two file names)"
    ):
        download(rest, tmp_path)
    assert store.requests == []
    assert saved(tmp_path) == {}


def test_existing_folder_is_replaced_only_with_overwrite(
    rest: tinker.RestClient, server: FakeServer, tmp_path: Path
) -> None:
    folder = tmp_path / "run-1_external_weights_final"
    folder.mkdir()
    (folder / "old").write_text("old")
    with pytest.raises(tinker.DownloadError, match="already exists; pass overwrite=True"):
        rest.download_checkpoint(EXTERNAL, tmp_path)
    assert server.calls("get_external_weights_urls") == []
    download(rest, tmp_path, overwrite=True)
    assert saved(tmp_path) == {WEIGHTS: CONTENT}


@pytest.mark.parametrize("existing", ["file", "dangling link", "link to a folder"])
def test_file_or_link_at_the_target_is_replaced_only_with_overwrite(
    existing: str, rest: tinker.RestClient, server: FakeServer, tmp_path: Path
) -> None:
    models, other = tmp_path / "models", tmp_path / "other"
    models.mkdir()
    other.mkdir()
    (other / "mine").write_bytes(b"mine")
    folder = models / "run-1_external_weights_final"
    if existing == "file":
        folder.write_text("old")
    else:
        folder.symlink_to(other if "folder" in existing else tmp_path / "nowhere")
    with pytest.raises(tinker.DownloadError, match="already exists; pass overwrite=True"):
        rest.download_checkpoint(EXTERNAL, models)
    assert server.calls("get_external_weights_urls") == []
    download(rest, models, overwrite=True)
    assert list(models.iterdir()) == [folder]
    assert not folder.is_symlink()
    assert saved(tmp_path) == {f"models/{WEIGHTS}": CONTENT, "other/mine": b"mine"}


@pytest.mark.parametrize("extract", [False, True])
def test_dangling_link_at_the_archive_is_replaced_only_with_overwrite(
    extract: bool, archives: tinker.RestClient, packing: FakeServer, tmp_path: Path
) -> None:
    folder = tmp_path / "run-1_sampler_weights_final"
    archive = tmp_path / f"{folder.name}.tar.gz"
    (folder if extract else archive).symlink_to(tmp_path / "nowhere")
    with pytest.raises(tinker.DownloadError, match="already exists; pass overwrite=True"):
        archives.download_checkpoint(SAMPLER, tmp_path, extract=extract)
    assert packing.calls("get_checkpoint_archive_url") == []
    download(archives, tmp_path, SAMPLER, extract=extract, overwrite=True)
    assert not archive.is_symlink()
    assert set(tmp_path.iterdir()) == {archive, *([folder] if extract else [])}


def test_training_state_is_exported_and_the_export_deleted(
    rest: tinker.RestClient, server: FakeServer, tmp_path: Path
) -> None:
    result = download(rest, tmp_path, TRAINING)
    folder = "run-1_weights_final"
    assert saved(tmp_path) == {f"{folder}/weights.safetensors": CONTENT}
    assert result.tinker_path == TRAINING
    (loaded,), (export,) = server.calls("load_weights"), server.calls("save_weights_external")
    assert loaded.body["path"] == TRAINING
    assert loaded.body["optimizer"] is False
    assert export.body["ttl_seconds"] == 3600
    (deleted,) = server.calls("delete_checkpoint")
    assert deleted.path.endswith(f"/external_weights/{export.body['path']}")
    assert server.calls("get_external_weights_urls")[0].path.endswith(
        f"/external_weights/{export.body['path']}/external_weights_urls"
    )


@pytest.mark.parametrize("fails", [False, True])
def test_model_of_a_temporary_export_is_unloaded(
    fails: bool, rest: tinker.RestClient, server: FakeServer, tmp_path: Path
) -> None:
    """The server may keep few models at a time."""
    if fails:
        server.respond_always("save_weights_external", Reply(400, {"detail": "no space"}))
        with pytest.raises(tinker.BadRequestError, match="no space"):
            download(rest, tmp_path, TRAINING)
    else:
        download(rest, tmp_path, TRAINING)
    (export,), (unloaded,) = server.calls("save_weights_external"), server.calls("unload_model")
    assert unloaded.body["model_id"] == export.body["model_id"]


def test_model_that_is_not_unloaded_does_not_fail_the_download(
    rest: tinker.RestClient, server: FakeServer, tmp_path: Path
) -> None:
    server.respond_always("unload_model", Reply(404, {"detail": "Not Found"}))
    download(rest, tmp_path, TRAINING)
    assert len(server.calls("delete_checkpoint")) == 1


def test_failed_download_deletes_its_export(
    rest: tinker.RestClient, server: FakeServer, store: Storage, tmp_path: Path
) -> None:
    store.faults += [Fault(status=501)] * 5
    with pytest.raises(tinker.InternalServerError):
        download(rest, tmp_path, TRAINING)
    assert len(server.calls("delete_checkpoint")) == 1


def test_undeleted_export_is_logged(
    rest: tinker.RestClient, server: FakeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.respond_always("delete_checkpoint", Reply(403, {"detail": "not yours"}))
    download(rest, tmp_path, TRAINING)
    (line,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "temporary export" in line.getMessage()
    assert "it expires in 3600 s" in line.getMessage()


def test_sampler_checkpoint_raises_if_the_server_has_no_archives(
    rest: tinker.RestClient, server: FakeServer, tmp_path: Path
) -> None:
    with pytest.raises(tinker.DownloadError, match="this server creates no archives"):
        download(rest, tmp_path, SAMPLER)
    assert server.calls("load_weights") == []


def test_missing_checkpoint_is_not_exported(
    rest: tinker.RestClient, server: FakeServer, tmp_path: Path
) -> None:
    server.respond_always("get_checkpoint_archive_url", Reply(404, {"detail": "no checkpoint x"}))
    with pytest.raises(tinker.NotFoundError, match="no checkpoint x"):
        download(rest, tmp_path, TRAINING)
    assert server.calls("load_weights") == []


ARCHIVE = archive_of({"a/b.bin": CONTENT, "config.json": b"{}"})


@pytest.fixture
def packing(store: Storage) -> FakeServer:
    """Like release 0.4.1: archives, no external weights."""
    server = FakeServer()
    store.files["/archive"] = ARCHIVE
    server.respond_always("get_checkpoint_archive_url", moved(store.signed("/archive")))
    return server


def moved(url: str) -> Reply:
    return Reply(302, None, {"location": url})


@pytest.fixture
def archives(packing: FakeServer, time: SimulatedTime) -> Iterator[tinker.RestClient]:
    with make_client(packing, clock=time.clock, retry_window=30) as service:
        yield service.create_rest_client()


def test_archive_is_saved_and_extracted(
    archives: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    store.faults.append(Fault(cut=100))
    result = download(archives, tmp_path, SAMPLER, extract=True)
    assert store.ranges == [None, "bytes=100-"]
    folder = tmp_path / "run-1_sampler_weights_final"
    assert result.archive == tmp_path / "run-1_sampler_weights_final.tar.gz"
    assert result.archive.read_bytes() == ARCHIVE
    assert result.size_bytes == len(ARCHIVE)
    assert set(result.files) == {folder / "a" / "b.bin", folder / "config.json"}
    assert saved(folder) == {"a/b.bin": CONTENT, "config.json": b"{}"}
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}


PAGE = Fault(status=200, headers={"content-type": "text/html; charset=utf-8"})


def test_page_of_a_proxy_is_not_saved_and_the_download_resumes(
    archives: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    store.faults += [PAGE, Fault(cut=100), PAGE]
    result = download(archives, tmp_path, SAMPLER)
    assert result.archive.read_bytes() == ARCHIVE
    assert store.ranges == [None, None, "bytes=100-", "bytes=100-"]


def test_page_of_a_proxy_instead_of_weights_raises(
    rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    store.faults += [PAGE] * 1000
    with pytest.raises(tinker.APIConnectionError, match="HTML page, probably of a proxy"):
        download(rest, tmp_path)
    assert WEIGHTS not in saved(tmp_path)


def test_empty_archive_raises_and_keeps_the_earlier_one(
    archives: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    earlier = download(archives, tmp_path, SAMPLER).archive
    store.files["/archive"] = b""
    with pytest.raises(tinker.DownloadError, match="expected an archive, got an empty file"):
        download(archives, tmp_path, SAMPLER, overwrite=True)
    assert earlier.read_bytes() == ARCHIVE


def test_archive_url_that_is_not_a_url_raises(
    archives: tinker.RestClient, packing: FakeServer, tmp_path: Path
) -> None:
    packing.respond("get_checkpoint_archive_url", moved("http://[half-an-address"))
    with pytest.raises(tinker.APIResponseValidationError, match="URL that is not valid"):
        download(archives, tmp_path, SAMPLER)


def test_archive_can_be_replaced_and_extracted_again(
    archives: tinker.RestClient, tmp_path: Path
) -> None:
    download(archives, tmp_path, SAMPLER, extract=True)
    with pytest.raises(tinker.DownloadError, match="already exists; pass overwrite=True"):
        download(archives, tmp_path, SAMPLER)
    (tmp_path / "run-1_sampler_weights_final" / "old").touch()
    download(archives, tmp_path, SAMPLER, extract=True, overwrite=True)
    assert "run-1_sampler_weights_final/old" not in saved(tmp_path)


@pytest.mark.parametrize("form", ["relative", "body"])
def test_archive_url_may_be_relative_or_in_the_body(
    form: str, store: Storage, packing: FakeServer, tmp_path: Path
) -> None:
    packing.respond(
        "get_checkpoint_archive_url",
        moved(f"/archive?{SIGNATURE}")
        if form == "relative"
        else Reply(200, {"url": store.signed("/archive"), "expires": "2099-01-01T00:00:00Z"}),
    )
    with make_client(packing, base_url=store.url) as service:
        result = download(service.create_rest_client(), tmp_path, SAMPLER)
    assert result.archive.read_bytes() == ARCHIVE


def test_archive_may_take_longer_than_the_request_timeout(
    packing: FakeServer, store: Storage, tmp_path: Path
) -> None:
    url = store.signed("/archive")
    packing.respond("get_checkpoint_archive_url", Reply(302, None, {"location": url}, delay=0.5))
    seen: list[DownloadProgress] = []
    with make_client(packing, timeout=0.2) as service:
        rest = service.create_rest_client()
        download(rest, tmp_path, SAMPLER, progress=seen.append)
    assert len(packing.calls("get_checkpoint_archive_url")) == 1
    assert seen[0].stage == "preparing"
    assert seen[-1].stage == "downloading"


@pytest.mark.parametrize("status", [503, 504, 524])
def test_archive_in_preparation_is_requested_with_the_same_idempotency_key(
    status: int,
    archives: tinker.RestClient,
    packing: FakeServer,
    time: SimulatedTime,
    tmp_path: Path,
) -> None:
    later = Reply(status, {"detail": "packing"}, {"retry-after": "60"})
    packing.respond("get_checkpoint_archive_url", *[later] * 10)
    download(archives, tmp_path, SAMPLER)
    assert time.slept == [60.0] * 10
    calls = packing.calls("get_checkpoint_archive_url")
    assert len(calls) == 11
    assert len({call.headers["x-idempotency-key"] for call in calls}) == 1


def test_wait_for_an_archive_ends_at_archive_timeout(
    packing: FakeServer, time: SimulatedTime, tmp_path: Path
) -> None:
    later = Reply(503, {"detail": "packing"}, {"retry-after": "60"})
    packing.respond_always("get_checkpoint_archive_url", later)
    with (
        make_client(packing, clock=time.clock, retry_window=30, archive_timeout=300) as service,
        pytest.raises(tinker.InternalServerError, match=r"archive_timeout, .* is 300 s"),
    ):
        download(service.create_rest_client(), tmp_path, SAMPLER)
    assert time.passed <= 300


def test_progress_is_reported_until_the_end(
    rest: tinker.RestClient, server: FakeServer, store: Storage, tmp_path: Path
) -> None:
    store.files["/other"] = OTHER
    offer(server, store, {"one": "/weights", "two": "/other"})
    seen: list[DownloadProgress] = []
    download(rest, tmp_path, progress=seen.append)
    done = [progress.bytes_done for progress in seen]
    assert done == sorted(done)
    last = seen[-1]
    assert (last.stage, last.files_done, last.files_total) == ("downloading", 2, 2)
    assert last.bytes_done == last.bytes_total == 2 * len(CONTENT)


@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(3), KeyboardInterrupt()])
def test_progress_callback_error_ends_only_this_download(
    error: BaseException, rest: tinker.RestClient, tmp_path: Path
) -> None:
    def fail(_: DownloadProgress) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        download(rest, tmp_path, progress=fail)
    assert caught.value is error
    assert WEIGHTS not in saved(tmp_path)
    download(rest, tmp_path)
    assert saved(tmp_path) == {WEIGHTS: CONTENT}


async def test_async_download_returns_the_same(rest: tinker.RestClient, tmp_path: Path) -> None:
    result = await rest.download_checkpoint_async(EXTERNAL, str(tmp_path))
    assert saved(tmp_path) == {WEIGHTS: CONTENT}
    assert result.files == (tmp_path / WEIGHTS,)


def test_cancelled_download_ends_and_can_be_resumed(
    rest: tinker.RestClient, server: FakeServer, store: Storage, tmp_path: Path
) -> None:
    release = threading.Event()
    store.faults.append(Fault(wait=release))
    future = rest.download_checkpoint(TRAINING, tmp_path)
    part = tmp_path / "run-1_weights_final.part" / "weights.safetensors.part"
    assert comes_true(lambda: part.exists() and part.stat().st_size == 1)
    assert future.cancel()
    assert comes_true(lambda: bool(server.calls("delete_checkpoint")))
    release.set()
    assert part.read_bytes() == CONTENT[:1]
    download(rest, tmp_path, TRAINING)
    assert store.ranges == [None, "bytes=1-"]
    assert saved(tmp_path) == {"run-1_weights_final/weights.safetensors": CONTENT}


def test_second_download_to_the_same_target_raises(
    rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    release = threading.Event()
    store.faults.append(Fault(wait=release))
    first = rest.download_checkpoint(EXTERNAL, tmp_path)
    assert comes_true(lambda: (tmp_path / PART).exists())
    for overwrite in (False, True):
        with pytest.raises(tinker.DownloadError, match=r"another download writes to .*_final$"):
            download(rest, tmp_path, overwrite=overwrite)
    download(rest, tmp_path, f"{EXTERNAL}-2")
    release.set()
    first.result(60)
    assert store.ranges == [None, None]
    other = WEIGHTS.replace("final", "final-2")
    assert saved(tmp_path) == {WEIGHTS: CONTENT, other: CONTENT}


def test_second_archive_to_the_same_target_raises(
    archives: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    release = threading.Event()
    store.faults.append(Fault(wait=release))
    first = archives.download_checkpoint(SAMPLER, tmp_path)
    part = tmp_path / "run-1_sampler_weights_final.tar.gz.part"
    assert comes_true(part.exists)
    with pytest.raises(tinker.DownloadError, match="another download writes to"):
        download(archives, tmp_path, SAMPLER, extract=True)
    release.set()
    first.result(60)
    assert saved(tmp_path) == {"run-1_sampler_weights_final.tar.gz": ARCHIVE}


def test_lock_file_of_a_killed_process_is_ignored(rest: tinker.RestClient, tmp_path: Path) -> None:
    (tmp_path / "run-1_external_weights_final.part.lock").touch()
    download(rest, tmp_path)
    assert saved(tmp_path) == {WEIGHTS: CONTENT}


@pytest.mark.parametrize("size", [0, 99_999])
def test_partial_file_that_lost_bytes_raises(
    size: int, rest: tinker.RestClient, store: Storage, time: SimulatedTime, tmp_path: Path
) -> None:
    def shorten(_: float) -> None:
        (tmp_path / PART).write_bytes(CONTENT[:size])

    time.on_sleep = shorten
    store.faults.append(Fault(cut=100_000))
    with pytest.raises(tinker.DownloadError, match=f"has {size} bytes, expected 100000"):
        download(rest, tmp_path)
    assert WEIGHTS not in saved(tmp_path)


def test_complete_file_of_another_size_raises(
    rest: tinker.RestClient, server: FakeServer, store: Storage, tmp_path: Path
) -> None:
    offer(server, store, {"weights.safetensors": "/weights", "other": "/other"})
    store.files["/other"] = OTHER

    def append(progress: DownloadProgress) -> None:
        if progress.files_done == 2:
            with (tmp_path / PART).open("ab") as file:
                file.write(b"more")

    with pytest.raises(tinker.DownloadError, match="has 256004 bytes, expected 256000"):
        download(rest, tmp_path, progress=append)
    assert WEIGHTS not in saved(tmp_path)


def test_close_ends_a_download(server: FakeServer, store: Storage, tmp_path: Path) -> None:
    release = threading.Event()
    store.faults.append(Fault(wait=release))
    service = make_client(server)
    future = service.create_rest_client().download_checkpoint(EXTERNAL, tmp_path)
    assert comes_true(lambda: (tmp_path / PART).exists())
    service.close(timeout=0)
    with pytest.raises(tinker.ClientClosedError):
        future.result(10)
    release.set()


def test_insufficient_disk_space_raises_before_writing(
    rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    store.faults.append(Fault(headers={"content-length": str(10**17)}))
    with pytest.raises(
        tinker.DownloadError, match=r"disk full: .* more bytes are needed, .* are free"
    ):
        download(rest, tmp_path)
    assert len(store.requests) == 1
    assert saved(tmp_path) == {}


def test_full_disk_keeps_the_bytes_and_is_not_retried(
    rest: tinker.RestClient, store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SmallDisk(io.FileIO):
        def write(self, piece: Any) -> int:
            if self.tell() + len(piece) > 100_000:
                raise OSError(28, "No space left on device")
            return super().write(piece)

    def small(path: Any, mode: str, **more: Any) -> Any:
        if "b" not in mode:
            return open(path, mode, **more)
        return io.BufferedWriter(SmallDisk(path, mode), 1_000_000)

    with monkeypatch.context() as patched:
        patched.setattr(partial_file, "open", small, raising=False)
        with pytest.raises(tinker.DownloadError, match=r"disk full: .* bytes are kept"):
            download(rest, tmp_path)
    assert len(store.requests) == 1
    content = (tmp_path / PART).read_bytes()
    assert content
    assert content == CONTENT[: len(content)]
    download(rest, tmp_path)
    assert store.ranges == [None, f"bytes={len(content)}-"]
    assert saved(tmp_path) == {WEIGHTS: CONTENT}


def test_folder_that_can_not_be_created_raises(rest: tinker.RestClient, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(tinker.DownloadError, match=r"Not a directory|File exists"):
        download(rest, tmp_path / "file")


def test_compressed_response_raises(
    rest: tinker.RestClient, store: Storage, tmp_path: Path
) -> None:
    store.files["/weights"] = gzip.compress(CONTENT)
    store.headers = {"content-encoding": "gzip"}
    with pytest.raises(
        tinker.DownloadError, match="expected no Content-Encoding from the storage, got 'gzip'"
    ):
        download(rest, tmp_path)
