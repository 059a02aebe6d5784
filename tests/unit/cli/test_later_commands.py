"""The commands that came with later releases: keeping, deleting many, sessions, models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.fakes import MADE, FakeRest, FakeService, a_checkpoint
from tests.unit.cli.running import PATH, as_json, run
from tinker_ext import types
from tinker_ext.cli.text import relative_time

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("options", "ttl", "words"),
    [(["--ttl", "3600"], 3600, "for 3600 seconds"), (["--remove"], None, "for good")],
)
def test_a_checkpoint_is_kept_for_a_while_or_for_good(
    options: list[str], ttl: int | None, words: str
) -> None:
    service = FakeService()
    assert words in run(service, "checkpoint", "set-ttl", PATH, *options).stdout
    record = as_json(run(service, "checkpoint", "set-ttl", PATH, *options, "-f", "json"))
    assert record == {"tinker_path": PATH, "ttl_seconds": ttl}
    assert service.rest.changes == [(f"keep {ttl}", PATH)] * 2


@pytest.mark.parametrize("options", [[], ["--ttl", "0"], ["--ttl", "60", "--remove"]])
def test_how_long_must_be_said_and_once(options: list[str]) -> None:
    service = FakeService()
    assert run(service, "checkpoint", "set-ttl", PATH, *options).exit_code == 2
    assert service.rest.changes == []


def test_when_a_checkpoint_ends_is_shown() -> None:
    ends = datetime.now(UTC) + timedelta(hours=3, minutes=1)
    service = FakeService(FakeRest(checkpoints=[a_checkpoint(expires_at=ends)]))
    assert "in 3 hours" in run(service, "checkpoint", "info", PATH).stdout


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(seconds=5), "in less than a minute"),
        (timedelta(days=2), "in 2 days"),
        (timedelta(days=40), "2026-02-11"),
        (-timedelta(days=2), "2 days ago"),
    ],
)
def test_moments_to_come(ahead: timedelta, words: str) -> None:
    assert relative_time(MADE + ahead, now=MADE) == words


def several() -> FakeService:
    return FakeService(
        FakeRest(
            checkpoints=[
                a_checkpoint(name="0001"),
                a_checkpoint(name="0002", time=MADE + timedelta(days=2)),
                a_checkpoint(
                    name="s", checkpoint_type="sampler", tinker_path="tinker://run-1/s_w/s"
                ),
                a_checkpoint("run-2"),
            ]
        )
    )


@pytest.mark.parametrize(
    ("options", "deleted"),
    [
        ([], ["weights/0001", "weights/0002", "s_w/s"]),
        (["--type", "weights"], ["weights/0001", "weights/0002"]),
        (["--type", "sampler"], ["s_w/s"]),
        (["--before", "2026-01-03", "--type", "training"], ["weights/0001"]),
        (["--after", "2026-01-03T00:00:00Z"], ["weights/0002"]),
    ],
)
def test_checkpoints_of_a_run_are_deleted_by_kind_and_time(
    options: list[str], deleted: list[str]
) -> None:
    service = several()
    record = as_json(
        run(service, "checkpoint", "delete", "--run-id", "run-1", *options, "-y", "-f", "json")
    )
    wanted = [f"tinker://run-1/{item}" for item in deleted]
    assert record == {"deleted": wanted, "failed": []}
    assert service.rest.changes == [("delete", path) for path in wanted]


@pytest.mark.parametrize(("answer", "count"), [("y\n", 3), ("n\n", 0), ("", 0)])
def test_deleting_many_asks_once(answer: str, count: int) -> None:
    service = several()
    result = run(service, "checkpoint", "delete", "--run-id", "run-1", answer=answer)
    assert "3 checkpoints of run run-1 (4.5 MB)" in result.stderr
    assert len(service.rest.changes) == count


def test_one_that_can_not_be_deleted_does_not_keep_the_others() -> None:
    service = several()
    service.rest.kept = {PATH}
    second = "tinker://run-1/weights/0002"
    result = run(service, "checkpoint", "delete", PATH, second, "-y")
    assert result.exit_code == 1
    assert service.rest.changes == [("delete", second)]
    assert result.stdout == f"Deleted {second}\n"
    assert f"1 of 2 checkpoints could not be deleted; the first is {PATH}: " in result.stderr
    assert run(service, "checkpoint", "delete", PATH, "-y").exit_code == 1


@pytest.mark.parametrize(
    "args",
    [
        [],
        [PATH, "--run-id", "run-1"],
        [PATH, "--type", "weights"],
        ["--run-id", "run-1", "--before", "soon"],
    ],
)
def test_what_to_delete_must_be_clear(args: list[str]) -> None:
    service = several()
    assert run(service, "checkpoint", "delete", *args, "-y").exit_code == 2
    assert service.rest.changes == []


def test_a_run_without_such_checkpoints_is_said() -> None:
    result = run(several(), "checkpoint", "delete", "--run-id", "run-9", "-y")
    assert result.exit_code == 1
    assert "nothing to delete" in result.stderr


def test_sessions_are_listed_and_shown() -> None:
    names = [f"session-{number}" for number in range(250)]
    service = FakeService(FakeRest(sessions=names))
    assert "20 sessions" in run(service, "session", "list").stdout
    record = as_json(run(service, "session", "list", "--limit", "0", "-f", "json"))
    assert record == {"sessions": names}
    shown = run(service, "session", "info", "session-1").stdout
    assert all(word in shown for word in ("nightly", "run-1", "sampler-1", "Metadata k"))
    record = as_json(run(service, "session", "info", "session-1", "-f", "json"))
    assert record == {
        "session_id": "session-1",
        "training_run_ids": ["run-1"],
        "sampler_ids": ["sampler-1"],
        "user_metadata": {"k": "v"},
        "display_name": "nightly",
    }


def test_where_a_trace_is_and_no_file_replaced(tmp_path: Path) -> None:
    service = FakeService(FakeRest(archive_url="http://127.0.0.1:9/trace"))
    shown = run(service, "session", "export-trace", "s", "--url-only").stdout
    assert shown == "http://127.0.0.1:9/trace\n"
    target = tmp_path / "s.pftrace"
    target.touch()
    result = run(service, "session", "export-trace", "s", "-o", str(target))
    assert result.exit_code == 1
    assert "--force" in result.stderr


def test_models_are_listed_by_name() -> None:
    offered = [
        types.SupportedModel("org/Big", 32768, trainable=True, sampleable=False),
        types.SupportedModel("org/small"),
        types.SupportedModel(),
    ]
    service = FakeService(capabilities=types.GetServerCapabilitiesResponse(offered))
    table = run(service, "model", "list").stdout
    assert "3 models" in table
    assert "32768" in table
    (result,) = as_json(run(service, "model", "list", "big", "-f", "json"))["models"]
    assert result == {
        "model_name": "org/Big",
        "max_context_length": 32768,
        "trainable": True,
        "sampleable": False,
    }
