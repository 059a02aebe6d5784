"""The commands: what they ask the server, what they print, how they fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.fakes import FakeRest, FakeService, a_checkpoint, a_run
from tests.unit.cli.running import PATH, as_json, run
from tinker_ext.errors import (
    APIConnectionError,
    AuthenticationError,
    ConfigurationError,
    InternalServerError,
    NotFoundError,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_runs_are_listed_as_a_table_that_loses_nothing() -> None:
    name = "run-" + "0123456789" * 20
    result = run(FakeService(FakeRest([a_run(name)])), "run", "list")
    assert result.exit_code == 0
    assert name in result.stdout
    assert {"embedded/tiny", "rank 8", "1 training run"} <= set(_cells(result.stdout))


def _cells(table: str) -> list[str]:
    return [
        cell.strip() for line in table.splitlines() for cell in line.replace("┃", "│").split("│")
    ]


def test_json_is_the_whole_record_and_nothing_else() -> None:
    service = FakeService(FakeRest([a_run(last_checkpoint=a_checkpoint())]))
    (record,) = as_json(run(service, "-f", "json", "run", "list"))["runs"]
    assert record["training_run_id"] == "run-1"
    assert record["last_request_time"] == "2026-01-02T03:04:05+00:00"
    assert record["last_checkpoint"]["tinker_path"] == PATH


HOSTILE = "\x1b]0;title\x07\x1b[2Jrun \u202e\u2066\x9b1m\x7f\nforged"


def test_names_of_a_server_are_escaped_in_tables_and_valid_in_json() -> None:
    runs = [a_run(HOSTILE, base_model=HOSTILE, last_checkpoint=a_checkpoint(HOSTILE, HOSTILE))]
    service = FakeService(FakeRest(runs, [a_checkpoint(HOSTILE, HOSTILE)]))
    for command in (("run", "list"), ("run", "info", HOSTILE), ("checkpoint", "list")):
        table = run(service, *command).stdout
        assert all(line.isprintable() for line in table.splitlines())
    assert "\\x1b[2Jrun \\u202e\\u2066\\x9b1m\\x7f\\nforged" in run(service, "run", "list").stdout
    shown = run(service, "-f", "json", "run", "list")
    assert as_json(shown)["runs"][0]["base_model"] == HOSTILE
    assert all(line.isprintable() for line in shown.stdout.splitlines())


def test_error_of_a_server_is_one_printable_line() -> None:
    service = FakeService(FakeRest(error=NotFoundError(f"no {HOSTILE}", status_code=404)))
    shown = run(service, "run", "list")
    assert shown.exit_code == 1
    assert shown.stderr.rstrip("\n").isprintable()
    assert "\\x1b[2Jrun" in shown.stderr


def test_the_format_may_come_last_and_wins_there() -> None:
    service = FakeService(FakeRest([a_run()]))
    assert as_json(run(service, "run", "info", "run-1", "-f", "json"))["lora_rank"] == 8
    assert "Property" in run(service, "-f", "json", "run", "info", "run-1", "-f", "table").stdout


def test_a_long_list_is_cut_at_the_limit_and_says_so() -> None:
    service = FakeService(FakeRest([a_run(f"run-{number}") for number in range(250)]))
    assert "20 training runs (230 more; --limit 0 shows all)" in run(service, "run", "list").stdout
    everything = as_json(run(service, "run", "list", "--limit", "0", "-f", "json"))
    assert [item["training_run_id"] for item in everything["runs"]] == [
        f"run-{number}" for number in range(250)
    ]


def test_checkpoints_of_one_run_are_all_shown() -> None:
    names = [f"{number:04}" for number in range(30)]
    mine = [a_checkpoint("run-1", name) for name in names]
    service = FakeService(FakeRest(checkpoints=[*mine, a_checkpoint("run-2")]))
    record = as_json(run(service, "-f", "json", "checkpoint", "list", "--run-id", "run-1"))
    assert record["run_id"] == "run-1"
    assert [item["checkpoint_id"] for item in record["checkpoints"]] == [
        f"weights/{n}" for n in names
    ]


def test_or_as_many_as_are_asked_for() -> None:
    mine = [a_checkpoint("run-1", f"{number:04}") for number in range(30)]
    service = FakeService(FakeRest(checkpoints=mine))
    shown = run(service, "checkpoint", "list", "--run-id", "run-1", "--limit", "7").stdout
    assert "7 checkpoints of run run-1 (23 more; --limit 0 shows all)" in shown
    everything = run(service, "checkpoint", "list", "--run-id", "run-1", "--limit", "0").stdout
    assert "30 checkpoints of run run-1" in everything


def test_a_checkpoint_is_found_by_its_path() -> None:
    service = FakeService(FakeRest(checkpoints=[a_checkpoint(name="0002"), a_checkpoint()]))
    table = run(service, "checkpoint", "info", PATH).stdout
    assert {"weights/0001", "1.5 MB", PATH} <= set(_cells(table))


def test_what_a_server_calls_things_cannot_drive_the_terminal() -> None:
    evil = a_run(user_metadata={"note": "\x1b[2J[bold]x[/bold]"})
    table = run(FakeService(FakeRest([evil])), "run", "info", "run-1").stdout
    assert "\\x1b[2J[bold]x[/bold]" in table
    assert "\x1b" not in table


@pytest.mark.parametrize(
    ("command", "public"), [("publish", True), ("unpublish", False)], ids=["publish", "unpublish"]
)
def test_publishing_is_confirmed(command: str, public: bool) -> None:
    service = FakeService()
    assert PATH in run(service, "checkpoint", command, PATH).stdout
    record = as_json(run(service, "checkpoint", command, PATH, "-f", "json"))
    assert record == {"tinker_path": PATH, "public": public}
    assert service.rest.changes == [(command, PATH)] * 2


@pytest.mark.parametrize(
    ("options", "answer", "code", "deleted"),
    [
        (["--yes"], None, 0, True),
        ([], "y\n", 0, True),
        ([], "n\n", 1, False),
        ([], "", 1, False),
    ],
    ids=["--yes", "agreed", "refused", "nobody there"],
)
def test_deleting_asks_first(
    options: list[str], answer: str | None, code: int, deleted: bool
) -> None:
    service = FakeService(FakeRest(checkpoints=[a_checkpoint()]))
    result = run(service, "checkpoint", "delete", PATH, *options, answer=answer)
    assert result.exit_code == code
    assert service.rest.changes == ([("delete", PATH)] if deleted else [])
    assert ("1.5 MB" in result.stderr) == (not options)


def test_a_download_does_not_replace_a_file_by_itself(tmp_path: Path) -> None:
    service = FakeService(FakeRest(archive_url="http://127.0.0.1:9/never-asked"))
    (tmp_path / "run-1_weights_0001.tar.gz").touch()
    result = run(service, "checkpoint", "download", PATH, "-o", str(tmp_path))
    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert service.opened_with == []


FAILURES = [
    (
        AuthenticationError("HTTP 401 Unauthorized: who are you?", status_code=401),
        ["who are you?", "TINKER_API_KEY"],
    ),
    (InternalServerError("HTTP 500: oh", status_code=500), ["oh", "try again later"]),
    (APIConnectionError("nobody there"), ["nobody there", "`doctor`"]),
    (ConfigurationError("set TINKER_API_KEY"), ["set TINKER_API_KEY"]),
    (PermissionError(13, "Permission denied", "/some/file"), ["/some/file: Permission denied"]),
    (RuntimeError("one\ntwo\x1b[2J"), ["RuntimeError: one two\\x1b[2J", "--traceback"]),
]


@pytest.mark.parametrize(("error", "told"), FAILURES, ids=lambda value: type(value).__name__)
def test_a_failure_is_one_line_on_standard_error(error: Exception, told: list[str]) -> None:
    result = run(FakeService(FakeRest(error=error)), "run", "list")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: ")
    for words in told:
        assert words in result.stderr


def test_what_is_missing_is_said_with_what_to_do() -> None:
    assert "`run list`" in run(FakeService(), "run", "info", "run-9").stderr
    assert "`checkpoint list`" in run(FakeService(), "checkpoint", "info", PATH).stderr
    result = run(FakeService(), "checkpoint", "info", "run-1/weights/0001")
    assert result.exit_code == 1
    assert "tinker://RUN/weights/NAME" in result.stderr


def test_traceback_lets_the_error_through() -> None:
    error = RuntimeError("here")
    result = run(FakeService(FakeRest(error=error)), "--traceback", "run", "list")
    assert result.exception is error


def test_ctrl_c_ends_with_130_and_no_words() -> None:
    result = run(FakeService(FakeRest(error=KeyboardInterrupt())), "run", "list")
    assert (result.exit_code, result.output) == (130, "")


def test_the_base_url_of_the_command_line_is_used() -> None:
    service = FakeService()
    run(service, "--base-url", "http://127.0.0.1:8000", "run", "list")
    run(service, "run", "list")
    assert service.opened_with == [{"base_url": "http://127.0.0.1:8000"}, {}]


def test_version_is_that_of_the_package() -> None:
    from tinker_ext.version import __version__

    assert run(FakeService(), "version").stdout == f"tinker-ext {__version__}\n"
