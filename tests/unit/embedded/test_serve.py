"""The server as a child process, and run on its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.processes import is_gone
from tests.waiting import comes_true
from tinker_ext.embedded import launch
from tinker_ext.embedded.http_server import visibility
from tinker_ext.embedded.launch import start_embedded
from tinker_ext.errors import ConfigurationError
from tinker_ext.install_hints import install_hint

KEY = "tml-not-for-any-log"


def modules_imported_by(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    return set(result.stdout.decode().split())


def test_server_listens_on_loopback_without_key(tmp_path: Path) -> None:
    with start_embedded(tmp_path / "state") as server:
        assert server.url.startswith("http://127.0.0.1:")
        with httpx.Client(base_url=server.url) as http:
            assert http.get("/api/v1/healthz").json() == {"status": "ok"}
            with_key = http.get("/api/v1/get_server_capabilities", headers={"X-API-Key": KEY})
            assert with_key.json() == {
                "supported_models": [
                    {
                        "model_name": "embedded/tiny",
                        "max_context_length": 1024,
                        "trainable": True,
                        "sampleable": True,
                    }
                ]
            }
        log = server.log_path.read_text()
        assert f"listening on {server.url} (this machine only)" in log
        pid = server.pid
    assert comes_true(lambda: is_gone(pid))


def test_keys_do_not_reach_the_environment_or_files_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("TINKER_API_KEY", "TINKER_CREDENTIAL_CMD", "CLOUDFLARE_ACCESS_CLIENT_SECRET"):
        monkeypatch.setenv(variable, KEY)
    with start_embedded(tmp_path) as server:
        for path in ("/api/v1/healthz", "/api/v1/none", "/api/v1/create_session"):
            httpx.post(f"{server.url}{path}", headers={"X-API-Key": KEY}, json={"api_key": KEY})
        environment = Path(f"/proc/{server.pid}/environ")
        if environment.exists():
            assert KEY.encode() not in environment.read_bytes()
    contents = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert contents
    assert not any(KEY.encode() in content for content in contents)


def test_temporary_folder_is_deleted_with_the_server() -> None:
    with start_embedded() as server:
        assert server.state_dir.is_dir()
    assert not server.state_dir.exists()
    server.close()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="the platform can't suspend a process")
def test_close_with_temporary_folder_does_not_wait_for_running_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launch, "STOP_SECONDS", "not a number, so that waiting fails")
    with start_embedded() as server:
        os.kill(server.pid, signal.SIGSTOP)
    assert is_gone(server.pid)
    assert not server.state_dir.exists()


def test_given_state_dir_is_kept(tmp_path: Path) -> None:
    start_embedded(tmp_path).close()
    assert (tmp_path / "state.sqlite3").exists()


def test_server_exits_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path;"
        "from tinker_ext.embedded.launch import start_embedded;"
        "server = start_embedded(Path(sys.argv[1]));"
        "print(server.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert comes_true(lambda: is_gone(pid))


def test_state_dir_in_use_raises_configuration_error(tmp_path: Path) -> None:
    with (
        start_embedded(tmp_path),
        pytest.raises(ConfigurationError, match="in use by another embedded backend") as caught,
    ):
        start_embedded(tmp_path)
    assert "Traceback" not in str(caught.value)


def test_failed_start_quotes_the_log(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite3").write_text("this is not a database")
    with pytest.raises(ConfigurationError, match="ended while starting") as caught:
        start_embedded(tmp_path)
    assert "file is not a database; choose another state folder" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_missing_package_error_contains_pip_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "NEEDED", ("starlette", "no_such_package"))
    with pytest.raises(ConfigurationError) as caught:
        start_embedded(tmp_path)
    assert "no_such_package" in str(caught.value)
    assert install_hint("embedded") in str(caught.value)


def test_port_in_use_prints_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "tinker_ext.embedded", "--state-dir", str(tmp_path)]
        result = subprocess.run(
            [*command, "--port", str(port)], capture_output=True, text=True, timeout=60
        )
    assert result.returncode == 1
    assert result.stdout == ""
    assert "address already in use" in result.stderr.lower()
    assert "Traceback" not in result.stderr


def test_module_prints_url_and_exits_on_sigterm(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tinker_ext.embedded", "--state-dir", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    assert httpx.get(f"{url}/api/v1/healthz").status_code == 200
    process.terminate()
    assert process.wait(20) in (0, -15)
    assert process.stdout.read() == b""
    process.stdout.close()


def test_deprecated_options_are_accepted_and_hidden(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tinker_ext.embedded"]
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60)
    assert "--protocol" in shown.stdout
    assert "--dialect" not in shown.stdout
    options = ["--state-dir", str(tmp_path), "--dialect", "0.4.1", "--jwt-life", "60"]
    result = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "release 0.4.1 has no tokens to demand" in result.stderr


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:80", "this machine only"),
        ("http://[::1]:80", "this machine only"),
        ("http://localhost:80", "this machine only"),
        ("http://0.0.0.0:80", "with the key"),
        ("http://[::]:80", "with the key"),
        ("http://192.0.2.7:80", "with the key"),
        ("http://some.name:80", "with the key"),
    ],
)
def test_visibility_of_address(url: str, expected: str) -> None:
    assert expected in visibility(url)


def test_launch_imports_no_server_packages() -> None:
    loaded = modules_imported_by("import tinker_ext.embedded.launch")
    assert not loaded & {
        "starlette",
        "uvicorn",
        "numpy",
        "autograd",
        "jsonschema_rs",
        "transformers",
    }


def test_serve_imports_no_heavy_packages() -> None:
    loaded = modules_imported_by("import tinker_ext.embedded.serve")
    assert "uvicorn" in loaded
    assert not loaded & {"transformers", "torch", "numpy", "autograd", "httpx"}
