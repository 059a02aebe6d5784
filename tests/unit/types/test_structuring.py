"""Conversion between generated models and public types, by field name."""

from __future__ import annotations

import importlib
import pkgutil
from datetime import UTC, datetime
from typing import Any, Literal

import attrs
import pytest
from attrs import field, frozen
from tinker_api import models
from tinker_api.types import UNSET

from tinker_ext import types
from tinker_ext.types import (
    BillingUsageResponse,
    ClientFinishedSessionStatusQuery,
    Cursor,
    OtherBillingEvent,
    SaveWeightsExternalResponse,
    SessionSearchRequest,
    StorageBillingEvent,
    UserSearchOwner,
)
from tinker_ext.types.structuring import RequestType, ResponseType, converted_by, structure

for _module in pkgutil.walk_packages(types.__path__, "tinker_ext.types."):
    importlib.import_module(_module.name)

# The generated model has another name.
MODEL_NAMES: dict[Any, str] = {SaveWeightsExternalResponse: "SaveWeightsExternalResponseInternal"}


# Not part of the API: decoded by `extension`.
EXTENSIONS = {"lora_alpha"}


def model_of(kind: type) -> Any:
    return getattr(models, MODEL_NAMES.get(kind, kind.__name__))


def constants(model: Any) -> set[str]:
    return {"type"} if "type_" in attrs.fields_dict(model) else set()


SUBCLASSES: dict[str, Any] = {
    kind.__name__: kind
    for base in (ResponseType, RequestType)
    for kind in base.__subclasses__()
    if kind.__module__.startswith("tinker_ext.")
}


@pytest.mark.parametrize("kind", SUBCLASSES.values(), ids=SUBCLASSES)
def test_every_field_exists_in_the_generated_model(kind: Any) -> None:
    model = model_of(kind)
    names = set(attrs.fields_dict(kind)) - constants(model) - EXTENSIONS
    assert names <= set(attrs.fields_dict(model))


@frozen
class Inner(ResponseType):
    at: datetime


@frozen
class Outer(ResponseType):
    name: str
    inner: Inner
    more: list[Inner]
    by_key: dict[str, Inner]
    optional: Inner | None = None
    when: datetime | None = None
    size: int = 7
    upper: str = field(default="", metadata=converted_by(str.upper))
    type: Literal["outer"] = "outer"


@attrs.define
class Model:
    """Stands for a generated model."""

    name: Any = "n"
    inner: Any = None
    more: Any = UNSET
    by_key: Any = UNSET
    optional: Any = UNSET
    when: Any = UNSET
    size: Any = UNSET
    upper: Any = UNSET
    at: Any = datetime(2026, 1, 2)


TIME = Inner(datetime(2026, 1, 2, tzinfo=UTC))


def test_nested_values_are_decoded() -> None:
    model = Model(
        inner=Model(),
        more=[Model()],
        by_key={"k": Model()},
        optional=Model(),
        when=datetime(2026, 1, 2),
        size=1,
        upper="a",
    )
    when = datetime(2026, 1, 2, tzinfo=UTC)
    assert Outer.from_api(model) == Outer("n", TIME, [TIME], {"k": TIME}, TIME, when, 1, "A")


@pytest.mark.parametrize("missing", [None, UNSET])
def test_missing_and_null_fields_use_defaults(missing: Any) -> None:
    names = ("more", "by_key", "optional", "when", "size", "upper")
    model = Model(inner=Model(), **dict.fromkeys(names, missing))
    assert Outer.from_api(model) == Outer("n", TIME, [], {})


def test_null_in_a_field_without_default_is_none(caplog: pytest.LogCaptureFixture) -> None:
    read: Any = Outer.from_api(Model(inner=None))
    assert read.inner is None
    assert "Outer.inner: expected Inner, got null or missing" in caplog.text


def test_broken_entries_of_lists_and_maps_are_left_out() -> None:
    read = Outer.from_api(Model(inner=Model(), more=[Model(), 7], by_key={"a": "x", "k": Model()}))
    assert (read.more, read.by_key) == ([TIME], {"k": TIME})


def test_values_take_precedence_over_the_model() -> None:
    assert structure(Outer, Model(inner=Model()), name="other", size=2) == Outer(
        "other", TIME, [], {}, size=2
    )


def test_billing_events_decode_by_type_and_unknown_types_are_kept() -> None:
    hour = {"bucket_start": "2026-01-02T03:00:00Z", "bucket_end": "2026-01-02T04:00:00Z"}
    infos = [{"type": "storage", "gigabyte_hours": 1.5}, {"type": "new", "a": 1}]
    response = BillingUsageResponse.from_api(
        models.BillingUsageResponse.from_dict(
            {
                "data": [{**hour, "event_info": info} for info in infos],
                "sessions": {"s": {"user_metadata": {"a": "b"}}},
            }
        )
    )
    assert [event.event_info for event in response.data] == [
        StorageBillingEvent(1.5, free=False),
        OtherBillingEvent("new", {"type": "new", "a": 1}),
    ]
    assert response.sessions["s"].user_metadata == {"a": "b"}
    assert response.cost_data_through is None


def test_requests_omit_none() -> None:
    request = SessionSearchRequest(
        owner=UserSearchOwner(["u"]), statuses=[ClientFinishedSessionStatusQuery(["errored"])]
    )
    assert request.to_api().to_dict() == {
        "user_metadata": {},
        "owner": {"type": "user", "owner_urns": ["u"]},
        "statuses": [{"type": "client_finished", "reasons": ["errored"]}],
        "limit": 50,
    }


def test_request_times_without_a_zone_are_utc() -> None:
    cursor = types.SessionSearchCursor(datetime(2026, 1, 2), "s")
    body = SessionSearchRequest(cursor=cursor).to_api().to_dict()["cursor"]
    assert body == {"last_created_at": "2026-01-02T00:00:00+00:00", "last_session_id": "s"}


def test_response_types_have_no_instance_dict() -> None:
    assert not hasattr(Cursor(0, 1, 2), "__dict__")
