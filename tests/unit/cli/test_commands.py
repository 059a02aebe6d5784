"""The commands: their requests, output and errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.fakes import FakeRest, FakeService, make_checkpoint, make_run
from tests.unit.cli.running import PATH, as_json, run
from tinker_ext.errors import (
    APIConnectionError,
    AuthenticationError,
    ConfigurationError,
    InternalServerError,
    NotFoundError,
)


def test_run_list_table_does_not_truncate_names() -> None:
    name = "run-" + "0123456789" * 20
    result = run(FakeService(FakeRest([make_run(name)])), "run", "list")
    assert result.exit_code == 0
    assert name in result.stdout
    assert {"embedded/tiny", "rank 8", "1 training run"} <= set(_cells(result.stdout))


def _cells(table: str) -> list[str]:
    return [
        cell.strip() for line in table.splitlines() for cell in line.replace("┃", "│").split("│")
    ]


def test_json_output_is_complete_record() -> None:
    service = FakeService(FakeRest([make_run(last_checkpoint=make_checkpoint())]))
    (record,) = as_json(run(service, "-f", "json", "run", "list"))["runs"]
    assert record["training_run_id"] == "run-1"
    assert record["last_request_time"] == "2026-01-02T03:04:05+00:00"
    assert record["last_checkpoint"]["tinker_path"] == PATH


HOSTILE = "\x1b]0;title\x07\x1b[2Jrun \u202e\u2066\x9b1m\x7f\nforged"


def test_control_characters_of_server_are_escaped_in_table_and_json() -> None:
    runs = [
        make_run(HOSTILE, base_model=HOSTILE, last_checkpoint=make_checkpoint(HOSTILE, HOSTILE))
    ]
    service = FakeService(FakeRest(runs, [make_checkpoint(HOSTILE, HOSTILE)]))
    for command in (("run", "list"), ("run", "info", HOSTILE), ("checkpoint", "list")):
        table = run(service, *command).stdout
        assert all(line.isprintable() for line in table.splitlines())
    assert "\\x1b[2Jrun \\u202e\\u2066\\x9b1m\\x7f\\nforged" in run(service, "run", "list").stdout
    shown = run(service, "-f", "json", "run", "list")
    assert as_json(shown)["runs"][0]["base_model"] == HOSTILE
    assert all(line.isprintable() for line in shown.stdout.splitlines())


def test_server_error_is_one_printable_line() -> None:
    service = FakeService(FakeRest(error=NotFoundError(f"no {HOSTILE}", status_code=404)))
    shown = run(service, "run", "list")
    assert shown.exit_code == 1
    assert shown.stderr.rstrip("\n").isprintable()
    assert "\\x1b[2Jrun" in shown.stderr


def test_format_option_of_command_overrides_global_option() -> None:
    service = FakeService(FakeRest([make_run()]))
    assert as_json(run(service, "run", "info", "run-1", "-f", "json"))["lora_rank"] == 8
    assert "Property" in run(service, "-f", "json", "run", "info", "run-1", "-f", "table").stdout


def test_long_list_is_truncated_at_limit_and_title_counts_the_rest() -> None:
    service = FakeService(FakeRest([make_run(f"run-{number}") for number in range(250)]))
    assert "20 training runs (230 more; --limit 0 shows all)" in run(service, "run", "list").stdout
    everything = as_json(run(service, "run", "list", "--limit", "0", "-f", "json"))
    assert [record["training_run_id"] for record in everything["runs"]] == [
        f"run-{number}" for number in range(250)
    ]


def test_checkpoint_list_of_run_has_no_default_limit() -> None:
    names = [f"{number:04}" for number in range(30)]
    mine = [make_checkpoint("run-1", name) for name in names]
    service = FakeService(FakeRest(checkpoints=[*mine, make_checkpoint("run-2")]))
    record = as_json(run(service, "-f", "json", "checkpoint", "list", "--run-id", "run-1"))
    assert record["run_id"] == "run-1"
    assert [item["checkpoint_id"] for item in record["checkpoints"]] == [
        f"weights/{n}" for n in names
    ]


def test_checkpoint_list_of_run_respects_limit() -> None:
    mine = [make_checkpoint("run-1", f"{number:04}") for number in range(30)]
    service = FakeService(FakeRest(checkpoints=mine))
    shown = run(service, "checkpoint", "list", "--run-id", "run-1", "--limit", "7").stdout
    assert "7 checkpoints of run run-1 (23 more; --limit 0 shows all)" in shown
    everything = run(service, "checkpoint", "list", "--run-id", "run-1", "--limit", "0").stdout
    assert "30 checkpoints of run run-1" in everything


def test_checkpoint_info_finds_checkpoint_by_path() -> None:
    service = FakeService(FakeRest(checkpoints=[make_checkpoint(name="0002"), make_checkpoint()]))
    table = run(service, "checkpoint", "info", PATH).stdout
    assert {"weights/0001", "1.5 MB", PATH} <= set(_cells(table))


def test_metadata_of_server_is_escaped_in_table() -> None:
    evil = make_run(user_metadata={"note": "\x1b[2J[bold]x[/bold]"})
    table = run(FakeService(FakeRest([evil])), "run", "info", "run-1").stdout
    assert "\\x1b[2J[bold]x[/bold]" in table
    assert "\x1b" not in table


@pytest.mark.parametrize(
    ("command", "public"), [("publish", True), ("unpublish", False)], ids=["publish", "unpublish"]
)
def test_publish_and_unpublish_print_confirmation(command: str, public: bool) -> None:
    service = FakeService()
    assert PATH in run(service, "checkpoint", command, PATH).stdout
    record = as_json(run(service, "checkpoint", command, PATH, "-f", "json"))
    assert record == {"tinker_path": PATH, "public": public}
    assert service.rest.changes == [(command, PATH)] * 2


@pytest.mark.parametrize(
    ("options", "stdin", "code", "deleted"),
    [
        (["--yes"], None, 0, True),
        ([], "y\n", 0, True),
        ([], "n\n", 1, False),
        ([], "", 1, False),
    ],
    ids=["--yes", "confirmed", "declined", "no input"],
)
def test_delete_asks_for_confirmation(
    options: list[str], stdin: str | None, code: int, deleted: bool
) -> None:
    service = FakeService(FakeRest(checkpoints=[make_checkpoint()]))
    result = run(service, "checkpoint", "delete", PATH, *options, stdin=stdin)
    assert result.exit_code == code
    assert service.rest.changes == ([("delete", PATH)] if deleted else [])
    assert ("1.5 MB" in result.stderr) == (not options)


def test_download_does_not_replace_file_without_force(tmp_path: Path) -> None:
    service = FakeService(FakeRest(archive_url="http://127.0.0.1:9/never-requested"))
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
    (APIConnectionError("no connection"), ["no connection", "`tinker-ext doctor`"]),
    (ConfigurationError("set TINKER_API_KEY"), ["set TINKER_API_KEY"]),
    (PermissionError(13, "Permission denied", "/some/file"), ["/some/file: Permission denied"]),
    (RuntimeError("one\ntwo\x1b[2J"), ["RuntimeError: one two\\x1b[2J", "--traceback"]),
]


@pytest.mark.parametrize(("error", "expected"), FAILURES, ids=lambda value: type(value).__name__)
def test_error_is_one_line_on_standard_error(error: Exception, expected: list[str]) -> None:
    result = run(FakeService(FakeRest(error=error)), "run", "list")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: ")
    for text in expected:
        assert text in result.stderr


def test_error_of_missing_object_names_command_that_lists_objects() -> None:
    assert "`tinker-ext run list`" in run(FakeService(), "run", "info", "run-9").stderr
    assert "`tinker-ext checkpoint list`" in run(FakeService(), "checkpoint", "info", PATH).stderr
    result = run(FakeService(), "checkpoint", "info", "run-1/weights/0001")
    assert result.exit_code == 1
    assert "tinker://RUN/weights/NAME" in result.stderr


def test_traceback_option_propagates_error() -> None:
    error = RuntimeError("here")
    result = run(FakeService(FakeRest(error=error)), "--traceback", "run", "list")
    assert result.exception is error


def test_ctrl_c_exits_with_130_without_output() -> None:
    result = run(FakeService(FakeRest(error=KeyboardInterrupt())), "run", "list")
    assert (result.exit_code, result.output) == (130, "")


def test_base_url_option_is_passed_to_service() -> None:
    service = FakeService()
    run(service, "--base-url", "http://127.0.0.1:8000", "run", "list")
    run(service, "run", "list")
    assert service.opened_with == [{"base_url": "http://127.0.0.1:8000"}, {}]


def test_version_prints_package_version() -> None:
    from tinker_ext.version import __version__

    assert run(FakeService(), "version").stdout == f"tinker-ext {__version__}\n"
