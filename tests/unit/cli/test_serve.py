"""`serve`: ready when it says so, ended by Ctrl-C, and clear about what keeps it from starting."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tests.unit.cli.running import SERVE
from tinker_ext.cli.error_reporting import INTERRUPTED
from tinker_ext.cli.main import program
from tinker_ext.embedded.releases import BY_RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def serving(state_dir: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running command, and its URL; it ends with the block, however that ends."""
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


def test_it_says_where_it_listens_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    with serving(tmp_path / "new") as (server, url):
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}/api/v1/healthz") as response:
            assert response.status == 200
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=30)
    assert server.returncode == INTERRUPTED
    assert str(tmp_path / "new") in said
    assert "this machine only" in said
    assert "Traceback" not in said


def test_a_port_in_use_is_told_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [*SERVE, "--port", port, "--state-dir", str(tmp_path)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "--port" in ended.stderr.splitlines()[-1]


def test_a_missing_package_is_told_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinker_ext.embedded.launch.NEEDED", ("no_such_package",))
    result = CliRunner().invoke(program, ["serve", "--state-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: The embedded backend needs no_such_package: pip install 'tinker-ext[embedded]'\n"
    )


def test_it_demands_tokens_where_told_to(tmp_path: Path) -> None:
    with (
        serving(tmp_path, "--jwt", "--jwt-life", "60") as (_, url),
        pytest.raises(urllib.error.HTTPError, match="401"),
    ):
        urllib.request.urlopen(f"{url}/api/v1/healthz")


@pytest.mark.skipif(sys.platform == "win32", reason="there a process is ended without a signal")
def test_a_temporary_folder_goes_at_a_sigterm(tmp_path: Path) -> None:
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


def test_a_dialect_may_be_named_by_the_whole_number_of_its_release(tmp_path: Path) -> None:
    assert BY_RELEASE == {"0.4.1": "0.4.1", "0.24.1": "0.24", "0.25.0": "0.25", "0.38.0": "0.38"}
    with serving(tmp_path, "--dialect", "0.38.0") as (_, url):
        assert url.startswith("http://127.0.0.1:")


def test_tokens_of_a_release_without_them_are_refused(tmp_path: Path) -> None:
    chosen = ["--port", "0", "--state-dir", str(tmp_path), "--jwt", "--dialect", "0.4.1"]
    ended = subprocess.run([*SERVE, *chosen], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "release 0.4.1 has no tokens to demand" in ended.stderr


def test_flags_are_announced_where_told_to(tmp_path: Path) -> None:
    with serving(tmp_path, "--flag", "sample_no_retries=true") as (_, url):
        asked = urllib.request.Request(
            f"{url}/api/v1/client/config",
            data=b'{"sdk_version": "0.38.0"}',
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked) as response:
            assert json.load(response)["sample_no_retries"] is True


@pytest.mark.parametrize("flag", ["no_such_flag=true", "sample_no_retries"])
def test_a_flag_that_is_none_is_refused(tmp_path: Path, flag: str) -> None:
    chosen = ["--port", "0", "--state-dir", str(tmp_path), "--flag", flag]
    ended = subprocess.run([*SERVE, *chosen], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert flag.partition("=")[0] in ended.stderr


def refused(*options: str, **variables: str) -> str:
    """What the command says when it does not start, in its last line."""
    command = [*SERVE, "--port", "0", *options]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **variables}
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended.stderr.splitlines()[-1]


def status(url: str, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=named)) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "some.name"])
def test_address_that_other_machines_reach_needs_a_key(tmp_path: Path, host: str) -> None:
    line = refused("--state-dir", str(tmp_path), "--host", host)
    assert line == (
        f"Error: Other machines can reach {host}, so clients must send a key: give it with "
        "--key-file FILE or in TINKER_EXT_SERVE_KEY."
    )


def test_key_of_a_file_is_checked_on_every_address(tmp_path: Path) -> None:
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
        _, said = server.communicate(timeout=30)
    assert f"Warning: other users can read {file}; chmod 600 it." in said
    assert "reachable from other machines, with the key" in said
    assert "tml-from-a-file" not in said


def test_key_of_the_environment_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_EXT_SERVE_KEY", "tml-from-a-variable")
    with serving(tmp_path) as (_, url):
        assert status(f"{url}/api/v1/healthz") == 401
        assert status(f"{url}/api/v1/healthz", X_API_Key="tml-from-a-variable") == 200


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff"])
def test_key_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    assert f"--key-file {file}: " in refused("--key-file", str(file))
    assert "No such file" in refused("--key-file", str(tmp_path / "none"))


def test_public_url_that_is_none_is_refused(tmp_path: Path) -> None:
    for text in ("proxy.example", "embedded"):
        line = refused("--state-dir", str(tmp_path), "--public-url", text)
        assert line.startswith("Error: --public-url: ")


def test_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = refused(TINKER_EMBEDDED_DIR=str(tmp_path / "file" / "below"))
    assert f"{tmp_path / 'file' / 'below'} can't be used as the state folder" in line
    assert "--state-dir" in line
