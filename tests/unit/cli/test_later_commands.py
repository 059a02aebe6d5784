"""Commands of later releases: expiry, deleting many checkpoints, sessions, models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.cli.fakes import CREATED, FakeRest, FakeService, make_checkpoint
from tests.unit.cli.running import PATH, as_json, run
from tinker_ext import types
from tinker_ext.cli.output import relative_time


@pytest.mark.parametrize(
    ("options", "ttl", "expected"),
    [
        (["--ttl", "3600"], 3600, f"{PATH} expires in 3600 seconds\n"),
        (["--remove"], None, f"{PATH} does not expire\n"),
    ],
)
def test_set_ttl_sets_or_removes_expiry(options: list[str], ttl: int | None, expected: str) -> None:
    service = FakeService()
    assert run(service, "checkpoint", "set-ttl", PATH, *options).stdout == expected
    record = as_json(run(service, "checkpoint", "set-ttl", PATH, *options, "-f", "json"))
    assert record == {"tinker_path": PATH, "ttl_seconds": ttl}
    assert service.rest.changes == [(f"expire {ttl}", PATH)] * 2


@pytest.mark.parametrize("options", [[], ["--ttl", "0"], ["--ttl", "60", "--remove"]])
def test_set_ttl_requires_exactly_one_option(options: list[str]) -> None:
    service = FakeService()
    assert run(service, "checkpoint", "set-ttl", PATH, *options).exit_code == 2
    assert service.rest.changes == []


def test_checkpoint_info_shows_expiry() -> None:
    expiry = datetime.now(UTC) + timedelta(hours=3, minutes=1)
    service = FakeService(FakeRest(checkpoints=[make_checkpoint(expires_at=expiry)]))
    assert "in 3 hours" in run(service, "checkpoint", "info", PATH).stdout


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (timedelta(seconds=5), "in less than a minute"),
        (timedelta(days=2), "in 2 days"),
        (timedelta(days=40), "2026-02-11"),
        (-timedelta(days=2), "2 days ago"),
    ],
)
def test_relative_time_of_future_and_past(offset: timedelta, expected: str) -> None:
    assert relative_time(CREATED + offset, now=CREATED) == expected


def several() -> FakeService:
    return FakeService(
        FakeRest(
            checkpoints=[
                make_checkpoint(name="0001"),
                make_checkpoint(name="0002", time=CREATED + timedelta(days=2)),
                make_checkpoint(
                    name="s", checkpoint_type="sampler", tinker_path="tinker://run-1/s_w/s"
                ),
                make_checkpoint("run-2"),
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
def test_delete_selects_checkpoints_of_run_by_type_and_date(
    options: list[str], deleted: list[str]
) -> None:
    service = several()
    record = as_json(
        run(service, "checkpoint", "delete", "--run-id", "run-1", *options, "-y", "-f", "json")
    )
    paths = [f"tinker://run-1/{name}" for name in deleted]
    assert record == {"deleted": paths, "failed": []}
    assert service.rest.changes == [("delete", path) for path in paths]


@pytest.mark.parametrize(
    ("options", "deleted"), [([], ["timeless"]), (["--before", "2030-01-01"], [])]
)
def test_checkpoint_without_a_valid_time_is_not_selected_by_date(
    options: list[str], deleted: list[str]
) -> None:
    broken = [make_checkpoint(name="timeless", time=None), make_checkpoint(tinker_path=None)]
    service = FakeService(FakeRest(checkpoints=broken))
    run(service, "checkpoint", "delete", "--run-id", "run-1", *options, "-y")
    assert service.rest.changes == [
        ("delete", f"tinker://run-1/weights/{name}") for name in deleted
    ]


def test_list_shows_a_checkpoint_with_broken_fields() -> None:
    broken = make_checkpoint(time=None, checkpoint_type=None, tinker_path=None)
    result = run(FakeService(FakeRest(checkpoints=[broken])), "checkpoint", "list")
    [line] = [line for line in result.stdout.splitlines() if "weights/0001" in line]
    assert line.count(" - ") == 3


@pytest.mark.parametrize(("stdin", "count"), [("y\n", 3), ("n\n", 0), ("", 0)])
def test_delete_of_run_asks_for_confirmation_once(stdin: str, count: int) -> None:
    service = several()
    result = run(service, "checkpoint", "delete", "--run-id", "run-1", stdin=stdin)
    assert "3 checkpoints of run run-1 (4.5 MB)" in result.stderr
    assert len(service.rest.changes) == count


def test_failed_deletion_does_not_prevent_others() -> None:
    service = several()
    service.rest.undeletable = {PATH}
    second = "tinker://run-1/weights/0002"
    result = run(service, "checkpoint", "delete", PATH, second, "-y")
    assert result.exit_code == 1
    assert service.rest.changes == [("delete", second)]
    assert result.stdout == f"Deleted {second}\n"
    assert f"1 of 2 checkpoints could not be deleted; first error: {PATH}: " in result.stderr
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
def test_delete_rejects_ambiguous_arguments(args: list[str]) -> None:
    service = several()
    assert run(service, "checkpoint", "delete", *args, "-y").exit_code == 2
    assert service.rest.changes == []


def test_delete_of_run_without_matching_checkpoints_fails() -> None:
    result = run(several(), "checkpoint", "delete", "--run-id", "run-9", "-y")
    assert result.exit_code == 1
    assert result.stderr == "Error: Run run-9 has no matching checkpoints to delete.\n"


def test_session_list_and_info() -> None:
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


def test_export_trace_prints_url_and_does_not_replace_file(tmp_path: Path) -> None:
    service = FakeService(FakeRest(archive_url="http://127.0.0.1:9/trace"))
    shown = run(service, "session", "export-trace", "s", "--url-only").stdout
    assert shown == "http://127.0.0.1:9/trace\n"
    target = tmp_path / "s.pftrace"
    target.touch()
    result = run(service, "session", "export-trace", "s", "-o", str(target))
    assert result.exit_code == 1
    assert "--force" in result.stderr


def test_model_list_filters_by_name() -> None:
    models = [
        types.SupportedModel("org/Big", 32768, trainable=True, sampleable=False),
        types.SupportedModel("org/small"),
        types.SupportedModel(),
    ]
    service = FakeService(capabilities=types.GetServerCapabilitiesResponse(models))
    table = run(service, "model", "list").stdout
    assert "3 models" in table
    assert "32768" in table
    (model,) = as_json(run(service, "model", "list", "big", "-f", "json"))["models"]
    assert model == {
        "model_name": "org/Big",
        "max_context_length": 32768,
        "trainable": True,
        "sampleable": False,
    }
