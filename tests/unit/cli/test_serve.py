"""`serve`: its start, its stop by Ctrl-C, and errors that prevent the start."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.unit.cli.running import SERVE
from tinker_ext.cli.error_reporting import INTERRUPTED
from tinker_ext.cli.main import program
from tinker_ext.embedded.protocols import BY_RELEASE
from tinker_ext.install_hints import install_hint


@contextmanager
def serving(state_dir: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command; yields the process and its URL, and stops it after the block."""
    with subprocess.Popen(
        [*SERVE, "--port", "0", "--state-dir", str(state_dir), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            yield server, json.loads(server.stdout.readline())["url"]
        finally:
            if server.poll() is None:
                server.kill()


def test_serve_prints_url_and_stops_at_ctrl_c(tmp_path: Path) -> None:
    with serving(tmp_path / "new") as (server, url):
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}/api/v1/healthz") as response:
            assert response.status == 200
        server.send_signal(signal.SIGINT)
        _, stderr = server.communicate(timeout=30)
    assert server.returncode == INTERRUPTED
    assert str(tmp_path / "new") in stderr
    assert "this machine only" in stderr
    assert "Traceback" not in stderr


def test_port_in_use_error_names_port_option(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        command = [*SERVE, "--port", port, "--state-dir", str(tmp_path)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "--port" in result.stderr.splitlines()[-1]


def test_missing_package_error_names_extra_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinker_ext.embedded.launch.NEEDED", ("no_such_package",))
    result = CliRunner().invoke(program, ["serve", "--state-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: The embedded backend needs no_such_package: {install_hint('embedded')}\n"
    )


def test_jwt_option_requires_tokens(tmp_path: Path) -> None:
    with (
        serving(tmp_path, "--jwt", "--jwt-lifetime", "60") as (_, url),
        pytest.raises(urllib.error.HTTPError, match="401"),
    ):
        urllib.request.urlopen(f"{url}/api/v1/healthz")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows terminates processes without a signal")
def test_temporary_folder_is_removed_at_sigterm(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "TINKER_EMBEDDED_DIR": ""}
    with subprocess.Popen(
        [*SERVE, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline()
        assert list(tmp_path.iterdir())
        server.terminate()
    assert server.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_protocol_option_accepts_full_release_version(tmp_path: Path) -> None:
    assert BY_RELEASE == {"0.4.1": "0.4.1", "0.24.1": "0.24", "0.25.0": "0.25", "0.38.0": "0.38"}
    with serving(tmp_path, "--protocol", "0.38.0") as (_, url):
        assert url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("renamed", "current"),
    [
        (["--dialect", "0.4.1"], "--protocol"),
        (["--dialect=0.4.1"], "--protocol"),
        (["--jwt-life", "60"], "--jwt-lifetime"),
        (["--jwt-life=60"], "--jwt-lifetime"),
    ],
    ids=" ".join,
)
def test_former_option_name_is_accepted_with_warning(renamed: list[str], current: str) -> None:
    result = CliRunner().invoke(program, ["serve", *renamed, "--flag", "invalid", "--jwt"])
    name = renamed[0].partition("=")[0]
    warning, error = result.stderr.splitlines()
    assert warning == f"Warning: {name} is deprecated; use {current}."
    assert error.startswith("Error: --flag: "), "all options were parsed"


def test_former_option_name_sets_current_option() -> None:
    result = CliRunner().invoke(program, ["serve", "--dialect", "0.1"])
    assert result.exit_code == 2
    assert "Invalid value for '--protocol'" in result.stderr


def test_jwt_option_is_rejected_for_release_without_tokens(tmp_path: Path) -> None:
    options = ["--port", "0", "--state-dir", str(tmp_path), "--jwt", "--protocol", "0.4.1"]
    result = subprocess.run([*SERVE, *options], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "release 0.4.1 has no tokens to demand" in result.stderr


def test_flag_option_is_announced_to_clients(tmp_path: Path) -> None:
    with serving(tmp_path, "--flag", "sample_no_retries=true") as (_, url):
        request = urllib.request.Request(
            f"{url}/api/v1/client/config",
            data=b'{"sdk_version": "0.38.0"}',
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            assert json.load(response)["sample_no_retries"] is True


@pytest.mark.parametrize("flag", ["no_such_flag=true", "sample_no_retries"])
def test_invalid_flag_is_rejected(tmp_path: Path, flag: str) -> None:
    options = ["--port", "0", "--state-dir", str(tmp_path), "--flag", flag]
    result = subprocess.run([*SERVE, *options], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert flag.partition("=")[0] in result.stderr


def startup_error(*options: str, **variables: str) -> str:
    """The last line of standard error of a command that does not start."""
    command = [*SERVE, "--port", "0", *options]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **variables}
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def status(url: str, **headers: str) -> int:
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=renamed)) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "some.name"])
def test_address_reachable_by_other_machines_requires_key(tmp_path: Path, host: str) -> None:
    line = startup_error("--state-dir", str(tmp_path), "--host", host)
    assert line == (
        f"Error: Other machines can reach {host}, so the server requires a key: pass --key-file "
        "FILE or set TINKER_EXT_SERVE_KEY."
    )


def test_key_of_file_is_required_on_every_address(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("tml-from-a-file\n")
    file.chmod(0o644)
    options = ["--key-file", str(file), "--host", "0.0.0.0", "--allow-host", "tinker.example"]
    with serving(tmp_path / "state", *options) as (server, url):
        health = f"{url.replace('0.0.0.0', '127.0.0.1')}/api/v1/healthz"
        assert status(health) == 401
        assert status(health, X_API_Key="tml-other") == 401
        assert status(health, X_API_Key="tml-from-a-file") == 200
        assert status(health, X_API_Key="tml-from-a-file", Host="tinker.example") == 200
        assert status(health, X_API_Key="tml-from-a-file", Host="other.example") == 421
        server.send_signal(signal.SIGINT)
        _, stderr = server.communicate(timeout=30)
    assert f"Warning: other users can read {file}; run: chmod 600 {file}" in stderr
    assert "reachable from other machines, with the key" in stderr
    assert "tml-from-a-file" not in stderr


def test_key_of_environment_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_EXT_SERVE_KEY", "tml-from-a-variable")
    with serving(tmp_path) as (_, url):
        assert status(f"{url}/api/v1/healthz") == 401
        assert status(f"{url}/api/v1/healthz", X_API_Key="tml-from-a-variable") == 200


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff"])
def test_key_file_without_key_is_rejected(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    assert f"--key-file {file}: " in startup_error("--key-file", str(file))
    assert "No such file" in startup_error("--key-file", str(tmp_path / "none"))


def test_invalid_public_url_is_rejected(tmp_path: Path) -> None:
    for text in ("proxy.example", "embedded"):
        line = startup_error("--state-dir", str(tmp_path), "--public-url", text)
        assert line.startswith("Error: --public-url: ")


def test_error_names_state_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = startup_error(TINKER_EMBEDDED_DIR=str(tmp_path / "file" / "below"))
    assert f"Cannot use {tmp_path / 'file' / 'below'} as the state folder" in line
    assert "--state-dir" in line
