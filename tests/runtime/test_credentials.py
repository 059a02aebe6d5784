"""Credentials: an API key, the key that a command prints, or a token."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import time as real_time
from pathlib import Path
from typing import Any

import pytest

from tests.processes import is_gone
from tests.runtime.tokens import HeldTime, token
from tests.waiting import comes_true
from tinker_ext.config import ClientConfig
from tinker_ext.errors import APIConnectionError, ConfigurationError
from tinker_ext.redaction.secret import Secret
from tinker_ext.runtime.credentials import CredentialSource, printed_key

KEY = Secret("tml-KEY0123456789")
PRINTED = "tml-PRINTED0123456789"


@pytest.fixture
def time() -> HeldTime:
    return HeldTime()


def keys(time: HeldTime, **settings: Any) -> CredentialSource:
    return CredentialSource(ClientConfig.resolve(require_key=False, **settings), time.clock)


def counting(file: Path, prints: str) -> str:
    """A command that appends a line to a file each time it runs."""
    return f"echo run >> {shlex.quote(str(file))}; echo {shlex.quote(prints)}"


def runs(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0


async def no_token() -> Secret:
    raise APIConnectionError("unreachable")


async def test_api_key_is_sent_unchanged(time: HeldTime) -> None:
    source = keys(time, api_key=KEY)
    assert await source.key() == await source.current() == KEY
    assert await source.replacement_for(KEY) is None
    assert source.secrets() == (KEY,)
    await source.close()


async def test_no_key_sends_no_credential(time: HeldTime) -> None:
    source = keys(time)
    assert await source.key() is await source.current() is None
    assert source.secrets() == ()


async def test_api_key_that_is_a_token_is_used_until_it_expires(time: HeldTime) -> None:
    key = token(100)
    source = keys(time, api_key=key)
    time.now = 99.0
    assert await source.current() == key
    time.now = 100.0
    with pytest.raises(ConfigurationError, match="the API key is an expired token") as caught:
        await source.current()
    assert key.reveal() not in str(caught.value)


async def test_command_runs_once_for_key_and_current(time: HeldTime, tmp_path: Path) -> None:
    source = keys(time, credential_cmd=counting(tmp_path / "runs", f"  {PRINTED}  "))
    for _ in range(3):
        assert await source.key() == await source.current() == Secret(PRINTED)
    assert runs(tmp_path / "runs") == 1
    assert source.secrets() == (Secret(PRINTED),)


async def test_concurrent_calls_run_the_command_once(time: HeldTime, tmp_path: Path) -> None:
    source = keys(time, credential_cmd=counting(tmp_path / "runs", PRINTED))
    many = await asyncio.gather(
        *(source.current() for _ in range(20)), *(source.key() for _ in range(20))
    )
    assert set(many) == {Secret(PRINTED)}
    time.now = 100_000.0
    await source.current()
    assert runs(tmp_path / "runs") == 1
    assert await source.replacement_for(Secret(PRINTED)) == Secret(PRINTED)
    assert runs(tmp_path / "runs") == 2
    assert asyncio.all_tasks() == {asyncio.current_task()}, "no background task runs it"


async def test_printed_key_rejected_after_a_minute_reruns_the_command(
    time: HeldTime, tmp_path: Path
) -> None:
    source = keys(time, credential_cmd=counting(tmp_path / "runs", PRINTED))
    key = await source.key()
    time.now = 59.0
    assert await source.printed_anew(key) is None, "the last run was less than a minute ago"
    time.now = 60.0
    assert await source.printed_anew(Secret("of another kind")) is None
    assert runs(tmp_path / "runs") == 1
    assert await source.printed_anew(key) == Secret(PRINTED)
    assert runs(tmp_path / "runs") == 2
    assert await keys(time, api_key=KEY).printed_anew(KEY) is None


async def test_command_that_prints_an_expired_token_raises(time: HeldTime) -> None:
    source = keys(time, credential_cmd=f"echo {token(100).reveal()}")
    await source.current()
    time.now = 100.0
    with pytest.raises(ConfigurationError, match="printed an expired token"):
        await source.key()


async def test_api_key_takes_precedence_over_command_unless_command_only(time: HeldTime) -> None:
    source = keys(time, api_key=KEY, credential_cmd=f"echo {PRINTED}")
    assert await source.key() == KEY
    exchanged = token()

    async def exchange() -> Secret:
        return exchanged

    await source.enable_exchange(exchange)
    assert await source.key() == KEY
    assert await source.current() == exchanged
    await source.close()
    await source.enable_exchange(exchange, command_only=True)
    assert await source.key() == Secret(PRINTED)
    assert await source.current() == exchanged
    assert set(source.secrets()) == {KEY, Secret(PRINTED), exchanged}
    await source.close()


async def test_command_only_accepts_an_api_key_that_is_a_token(time: HeldTime) -> None:
    key = token()
    source = keys(time, api_key=key)

    async def exchange() -> Secret:
        return token()

    await source.enable_exchange(exchange, command_only=True)
    assert await source.key() == key
    await source.close()


@pytest.mark.parametrize("settings", [{"api_key": KEY}, {}])
async def test_command_only_without_a_command_raises(
    time: HeldTime, settings: dict[str, Any]
) -> None:
    source = keys(time, **settings)
    with pytest.raises(ConfigurationError, match="TINKER_CREDENTIAL_CMD"):
        await source.enable_exchange(no_token, command_only=True)


async def test_failed_first_exchange_can_be_repeated(time: HeldTime) -> None:
    source = keys(time, api_key=KEY)
    with pytest.raises(APIConnectionError):
        await source.enable_exchange(no_token)
    exchanged = token()

    async def exchange() -> Secret:
        return exchanged

    await source.enable_exchange(exchange)
    assert await source.current() == exchanged
    other = await source.replacement_for(exchanged)
    assert other == exchanged, "the server returned the same token"
    await source.close()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"echo {PRINTED}; exit 3", "failed with status 3"),
        ("true", "printed no key: the output is empty"),
        (
            f"echo {PRINTED}; echo {PRINTED}",
            "printed an invalid key: the output contains whitespace",
        ),
        (
            "printf '\\377'",
            "printed an invalid key: the output contains whitespace, control or non-ASCII",
        ),
        (f"no-such-command-{PRINTED}", "failed with status 127"),
        (f"while true; do echo {PRINTED}; done", "printed more than 65536 bytes"),
        (f"kill -9 $$; echo {PRINTED}", "failed with status -9"),
    ],
)
async def test_a_command_that_prints_no_key_is_named_and_not_shown(
    command: str, expected: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await printed_key(Secret(command))
    assert str(caught.value).startswith("the command in TINKER_CREDENTIAL_CMD " + expected)
    assert "PRINTED" not in str(caught.value)
    assert caught.value.setting == "credential_cmd"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("echo no such vault >&2; exit 2", "failed with status 2: no such vault"),
        (f"echo {PRINTED}; echo it is {PRINTED} >&2; exit 1", "failed with status 1: it is ***"),
        ("echo opaque+PLANTED; echo not opaque+PLANTED >&2; exit 1", "with status 1: not ***"),
        (
            "ask() { echo bad user $1 >&2; exit 4; }; ask 'opaque-PLANTED-word'",
            "failed with status 4: bad user ***",
        ),
        ("printf 'a\\033[31mb\\n\\nc' >&2; exit 1", "failed with status 1: a\\x1b[31mb c"),
        ("yes noise | head -c 200000 >&2; echo ' at last' >&2; exit 1", " at last"),
    ],
)
async def test_failing_commands_standard_error_is_shown_redacted(
    command: str, expected: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await printed_key(Secret(command))
    message = str(caught.value)
    assert expected in message
    assert "PLANTED" not in message
    assert len(message) < 500


async def test_standard_error_of_a_command_that_succeeds_is_not_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    printed = await printed_key(Secret(f"echo some advice >&2; echo {PRINTED}"))
    assert printed == Secret(PRINTED)
    assert "some advice" not in caplog.text


async def test_command_is_not_in_the_process_list(tmp_path: Path) -> None:
    started = tmp_path / "started"
    word = "PLANTED-in-the-command"
    command = f"KEY={word}; echo $$ > {shlex.quote(str(started))}; sleep 60; echo $KEY"
    running = asyncio.create_task(printed_key(Secret(command)))
    assert await asyncio.to_thread(
        comes_true, lambda: started.exists() and bool(started.read_text().strip())
    )
    arguments = await asyncio.to_thread(
        subprocess.check_output, ["ps", "-o", "args=", "-g", started.read_text().strip()]
    )
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert b"sleep 60" in arguments
    assert word.encode() not in arguments


async def test_child_that_keeps_stdout_open_is_neither_awaited_nor_killed(tmp_path: Path) -> None:
    ids = tmp_path / "ids"
    command = f"sleep 60 & echo $! > {shlex.quote(str(ids))}; echo {PRINTED}"
    began = real_time.monotonic()
    assert await printed_key(Secret(command), 30) == Secret(PRINTED)
    assert real_time.monotonic() - began < 20
    child = int(ids.read_text())
    try:
        assert not is_gone(child)
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("ending", ["limit", "cancelled"])
async def test_command_is_killed_with_its_child_processes(tmp_path: Path, ending: str) -> None:
    ids = tmp_path / "ids"
    command = f"(sleep 60 & echo $! > {shlex.quote(str(ids))}; wait) | cat"
    began = real_time.monotonic()
    running = asyncio.create_task(printed_key(Secret(command), 0.5 if ending == "limit" else 60))
    assert await asyncio.to_thread(
        comes_true, lambda: ids.exists() and bool(ids.read_text().strip())
    )
    if ending == "cancelled":
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    else:
        with pytest.raises(ConfigurationError, match=r"did not finish within 0\.5 s"):
            await running
    assert real_time.monotonic() - began < 20
    assert await asyncio.to_thread(comes_true, lambda: is_gone(int(ids.read_text())))


async def test_command_does_not_block_the_event_loop() -> None:
    running = asyncio.create_task(printed_key(Secret(f"sleep 0.3; echo {PRINTED}")))
    steps = 0
    while not running.done():
        await asyncio.sleep(0.01)
        steps += 1
    assert running.result() == Secret(PRINTED)
    assert steps > 5


async def test_shell_that_cannot_be_started_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_processes(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(asyncio.get_running_loop(), "subprocess_shell", no_processes)
    with pytest.raises(ConfigurationError, match="can't be started: BlockingIOError"):
        await printed_key(Secret("true"))
