"""Usage and storage as tables, JSON and CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from tests.unit.cli.running import as_json
from tinker_ext.cli.main import program
from tinker_ext.testing import FaultServer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USAGE = {
    "data": [
        {
            "bucket_start": "2026-07-13T00:00:00Z",
            "bucket_end": "2026-07-13T01:00:00Z",
            "event_info": {"type": "training", "token_count": 1200},
            "base_model": "some/model",
            "session_id": "s1",
            "estimated_cost_usd": None,
        },
        {
            "bucket_start": "2026-07-13T00:00:00Z",
            "bucket_end": "2026-07-13T01:00:00Z",
            "event_info": {"type": "storage", "gigabyte_hours": 2.5, "free": True},
        },
    ],
    "sessions": {"s1": {"user_metadata": {"team": "a,b"}}},
    "cost_data_through": None,
}
STORAGE = {
    "effective_rate_usd_per_gigabyte_month": 0.1,
    "data": [
        {
            "project_id": "p1",
            "user_name": "Me",
            "checkpoint_count": 3,
            "size_bytes": 500_000_000,
            "size_gigabytes": 0.5,
            "estimated_monthly_cost_usd": 0.05,
        }
    ],
}
PERIOD = ("2026-07-13T00:00:00Z", "2026-07-14T00:00:00Z")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    monkeypatch.setenv("TINKER_API_KEY", "tml-any")
    with FaultServer() as server:
        server.respond_always("get_billing_usage", Reply(200, USAGE))
        server.respond_always("get_checkpoint_storage_usage", Reply(200, STORAGE))
        yield server


def run(server: FaultServer, *args: str) -> Result:
    return CliRunner().invoke(program, ["--base-url", server.url, "billing", *args])


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_usage_json_is_the_complete_response(server: FaultServer) -> None:
    record = as_json(run(server, "usage", *PERIOD, "-f", "json"))
    assert [event["event_info"]["type"] for event in record["data"]] == ["training", "storage"]
    assert record["sessions"] == {"s1": {"user_metadata": {"team": "a,b"}}}
    (call,) = server.calls("get_billing_usage")
    assert call.query["starting_on"].startswith("2026-07-13T00:00:00")


def test_usage_table_has_the_fields_of_events(server: FaultServer) -> None:
    result = run(server, "usage", *PERIOD)
    assert result.exit_code == 0, result.output
    assert "2 usage rows" in result.stdout
    for text in ("token_count", "1200", "gigabyte_hours", "2.5", "some/model"):
        assert text in result.stdout


def test_usage_as_csv(server: FaultServer, tmp_path: Path) -> None:
    file, sessions = tmp_path / "usage.csv", tmp_path / "sessions.csv"
    result = run(server, "usage", *PERIOD, "--csv", str(file), "--sessions-csv", str(sessions))
    assert (result.exit_code, result.stdout) == (0, "")
    training, storage = rows(file.read_text())
    assert (training["type"], training["token_count"], training["gigabyte_hours"]) == (
        "training",
        "1200",
        "",
    )
    assert (storage["type"], storage["token_count"]) == ("storage", "")
    assert rows(sessions.read_text()) == [{"session_id": "s1", "user_metadata": '{"team": "a,b"}'}]
    assert rows(run(server, "usage", *PERIOD, "--csv", "-").stdout) == [training, storage]


def test_usage_of_invalid_period_is_not_requested(server: FaultServer) -> None:
    result = run(server, "usage", PERIOD[1], PERIOD[0])
    assert result.exit_code == 1
    assert "ending_before" in result.stderr
    assert server.calls("get_billing_usage") == []


def test_checkpoint_storage(server: FaultServer) -> None:
    result = run(server, "checkpoint-storage", "--project-id", "p1")
    assert result.exit_code == 0, result.output
    assert "1 storage row" in result.stdout
    (row,) = rows(run(server, "checkpoint-storage", "--csv", "-").stdout)
    assert row["effective_rate_usd_per_gigabyte_month"] == "0.1"
    assert row["project_id"] == "p1"
