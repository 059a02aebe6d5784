"""The OpenAPI 3.0 document keeps the meaning. (`make portable` runs linters and TypeScript.)"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from codegen.documents import load_yaml
from codegen.emit.downgrade import downgraded
from codegen.paths import SPECIFICATION
from codegen.wheel import pypi
from codegen.wheel.wheels import WheelError

Json = dict[str, Any]


@pytest.fixture(scope="module")
def older() -> Json:
    return downgraded(load_yaml(SPECIFICATION))


def parts(value: Any) -> Iterator[Json]:
    """Every object in `value`, at any depth."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, dict | list):
            yield from parts(part)


def test_openapi_3_0_document_is_valid(older: Json) -> None:
    assert older["openapi"] == "3.0.3"
    assert list(OpenAPIV30SpecValidator(older).iter_errors()) == []


def test_no_openapi_3_1_construction_remains(older: Json) -> None:
    text = json.dumps(older)
    assert '"const":' not in text
    assert '"contentEncoding"' not in text
    for part in parts(older["components"]["schemas"]):
        assert part.get("type") != "null"
        assert "$ref" not in part or len(part) == 1


def test_schemas_keep_their_meaning(older: Json) -> None:
    schemas = older["components"]["schemas"]
    assert schemas["ImageChunk"]["properties"]["data"]["format"] == "byte"
    assert schemas["EncodedTextChunk"]["properties"]["type"]["enum"] == ["encoded_text"]
    model_path = schemas["CreateSamplingSessionRequest"]["properties"]["model_path"]
    assert (model_path["type"], model_path["nullable"]) == ("string", True)
    beta = schemas["DimuonParams"]["properties"]["beta1"]
    assert (beta["maximum"], beta["exclusiveMaximum"]) == (1, True)


def test_only_portable_constructions_are_used() -> None:
    """No lists of types, boolean schemas or tuples, which many code generators do not support."""
    for part in parts(load_yaml(SPECIFICATION)["components"]["schemas"]):
        assert not isinstance(part.get("type"), list)
        assert "prefixItems" not in part
        assert not isinstance(part.get("items"), bool)


def test_watch_reports_an_unavailable_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(WheelError, match="`make watch` needs the network"):
        pypi.newest_release()


def test_newest_release_is_the_newest_final_one() -> None:
    listing = "tinker (0.9.0)\nAvailable versions: 0.9.0, 0.10.0rc1, 0.10.0, 0.2.0\n  LATEST: x\n"
    assert pypi.final_releases(listing)[-1] == "0.10.0"
    assert pypi.final_releases("nothing here") == []
