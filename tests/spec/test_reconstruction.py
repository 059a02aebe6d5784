"""Annotations, classes and calls of a wheel are converted; unreadable parts are listed."""

from __future__ import annotations

from typing import Any

import pytest

from codegen.contract.reconstruct import reconstruct
from codegen.contract.release import ReconstructionError, read_contract, refuse_gaps
from codegen.lock import locked_wheel
from codegen.wheel.wheels import Wheel, WheelError, open_wheel

Json = dict[str, Any]

BASES = """
import pydantic
class StrictBase(pydantic.BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
class BaseModel(pydantic.BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
"""


def wheel(**modules: str) -> Wheel:
    texts = {"tinker": "", "tinker._models": BASES, "tinker.types": "", "tinker.resources": ""}
    texts |= {f"tinker.{name.replace('__', '.')}": text for name, text in modules.items()}
    packages = frozenset({"tinker", "tinker.types", "tinker.resources"})
    return Wheel("9.9.9", "0" * 64, texts, packages)


def schemas(text: str) -> Json:
    result: Json = reconstruct(wheel(types__one=text))["components"]["schemas"]
    return result


def field(annotation: str, value: str = "") -> Json:
    text = "from .._models import *\nfrom typing import *\nfrom datetime import datetime\n"
    text += "from .._models import StrictBase\n"
    text += f"class One(StrictBase):\n    it: {annotation}{' = ' + value if value else ''}\n"
    imports = "from typing import Any, Optional, Union, List, Dict, Sequence, Literal, Tuple\n"
    result: Json = schemas(imports + text)["One"]["properties"]["it"]
    return result


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        ("int", {"type": "integer"}),
        ("'str'", {"type": "string"}),
        ("bytes", {"type": "string", "contentEncoding": "base64"}),
        ("datetime", {"type": "string", "format": "date-time"}),
        ("Any", {}),
        ("Optional[int]", {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        ("None | str", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ("Literal['a']", {"type": "string", "const": "a"}),
        ("List[int]", {"type": "array", "items": {"type": "integer"}}),
        ("dict[str, float]", {"type": "object", "additionalProperties": {"type": "number"}}),
        (
            "Union[List[int], List[float]]",
            {
                "anyOf": [
                    {"type": "array", "items": {"type": "integer"}},
                    {"type": "array", "items": {"type": "number"}},
                ]
            },
        ),
        (
            "tuple[int, float]",
            {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        ),
        ("tuple[str, ...]", {"type": "array", "items": {"type": "string"}}),
    ],
)
def test_annotations(annotation: str, schema: Json) -> None:
    assert field(annotation) == schema


def test_defaults_and_limits() -> None:
    assert field("float", "0.5") == {"type": "number", "default": 0.5}
    assert field("Optional[int]", "None") == field("Optional[int]")
    assert field("float", "Field(default=0.9, ge=0, lt=1)") == {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "default": 0.9,
    }


def test_required_fields_and_strictness_come_from_class_and_bases() -> None:
    result = schemas(
        "from .._models import StrictBase, BaseModel\n"
        "class Asked(StrictBase):\n    a: int\n    b: int = 1\n"
        "class Answered(BaseModel):\n    a: int\n"
        "class Both(Answered):\n    c: str = Field(..., min_length=1)\n"
    )
    assert result["Asked"]["required"] == ["a"]
    assert result["Asked"]["additionalProperties"] is False
    assert "additionalProperties" not in result["Answered"]
    assert result["Both"]["required"] == ["a", "c"]


def test_inline_enumeration_gets_a_name() -> None:
    result = schemas(
        "from typing import Literal\nfrom .._models import BaseModel\n"
        "class One(BaseModel):\n    queue_state: Literal['x', 'y']\n    kind: Literal['p', 'q']\n"
    )
    assert result["QueueState"]["enum"] == ["x", "y"]
    assert result["OneKind"]["enum"] == ["p", "q"]
    assert result["One"]["properties"]["queue_state"] == {"$ref": "#/components/schemas/QueueState"}


def test_calls_become_operations() -> None:
    resource = (
        "from ..types.one import One\n"
        "class AsyncThings:\n"
        "    async def change(self, *, thing_id: str, request: One) -> One:\n"
        "        return await self._put(\n"
        "            f'/api/v1/things/{thing_id}',\n"
        "            body=model_dump(request), cast_to=One)\n"
        "    async def list(self, limit: int = 5, word: str | None = None):\n"
        "        params: dict[str, object] = {'limit': limit}\n"
        "        if word is not None:\n            params['word'] = word\n"
        "        options = {'params': params}\n"
        "        return await self._get('/api/v1/things', options=options, cast_to=One)\n"
    )
    one = "from .._models import StrictBase\nclass One(StrictBase):\n    a: int\n"
    document = reconstruct(wheel(types__one=one, resources__things=resource))
    change = document["paths"]["/api/v1/things/{thing_id}"]["put"]
    reference = {"$ref": "#/components/schemas/One"}
    assert change["requestBody"]["content"]["application/json"]["schema"] == reference
    assert change["responses"]["200"]["content"]["application/json"]["schema"] == reference
    assert document["components"]["parameters"]["ThingsLimit"]["schema"] == {
        "type": "integer",
        "default": 5,
    }
    assert document["components"]["parameters"]["ThingsWord"]["required"] is False


UNREADABLE = (
    "from decimal import Decimal\nfrom .._models import BaseModel\n"
    "class One(BaseModel):\n    it: Decimal\n"
)


def test_unreadable_annotation_is_listed() -> None:
    document = reconstruct(wheel(types__one=UNREADABLE))
    assert document["x-problems"] == ["tinker.types.one:4 One.it: no rule for decimal.Decimal"]


def test_contract_with_a_gap_is_marked_and_refused() -> None:
    contract = read_contract(wheel(types__one=UNREADABLE))
    assert contract.document["x-unread"] == list(contract.gaps)
    with pytest.raises(ReconstructionError, match=r"One\.it: no rule for decimal\.Decimal"):
        refuse_gaps("9.9.9", contract.gaps)


def test_unhandled_path_or_header_is_a_gap() -> None:
    module = (
        "URL = '/api/v1/hidden'\n"
        'def call(client):\n    """/api/v1/in-a-text"""\n'
        "    return client.stream(URL, headers={'X-Tinker-Secret': '1'})\n"
    )
    gaps = read_contract(wheel(lib__odd=module)).gaps
    assert gaps == (
        "tinker.lib.odd:1 the path /api/v1/hidden is not in a supported call",
        "no operation declares the header X-Tinker-Secret",
    )


def test_heuristics_are_marked_in_the_schema() -> None:
    result = schemas(
        "import numpy as np\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass One:\n"
        "    tokens_np: np.ndarray | None = None\n    table: np.ndarray\n"
        "    @property\n    def tokens(self) -> list[int]: ...\n"
    )
    assert result["One"]["properties"]["tokens"] == {"type": "array", "items": {"type": "integer"}}
    assert result["One"]["x-heuristics"] == [
        "tokens_np has the name and type of the property without _np",
        "numpy.ndarray read as an array of any depth",
    ]


def test_default_expressions_are_evaluated() -> None:
    text = (
        "from .._models import BaseModel\nSIZE = 4\n"
        "class Kind(BaseModel):\n    type: str = 'plain'\n"
        "class One(BaseModel):\n"
        "    size: int = SIZE * 1024\n    kind: Kind = Kind()\n    odd: int = compute(3)\n"
        "    made: Kind = Field(default_factory=lambda: Kind())\n    must: Kind = Field(...)\n"
    )
    one = schemas(text)["One"]
    defaults = {name: value.get("default") for name, value in one["properties"].items()}
    plain = {"type": "plain"}
    assert defaults == {"size": 4096, "kind": plain, "odd": None, "made": plain, "must": None}
    assert one["required"] == ["must"]
    assert one["x-heuristics"] == ["the default of odd is not evaluated: compute(3)"]


def test_a_body_has_the_forms_of_all_its_assignments() -> None:
    resource = (
        "from ..types.one import One\nKIND = 'application/x-packed'\n"
        "class AsyncThings:\n"
        "    async def send(self, *, request: One, packed: bool) -> One:\n"
        "        headers = {}\n"
        "        if packed:\n"
        "            body = pack(request).SerializeToString()\n"
        "            headers['Content-Type'] = KIND\n"
        "        else:\n            body = model_dump(to_plain(request))\n"
        "        return await self._post('/api/v1/things', body=body, cast_to=One)\n"
    )
    one = "from .._models import StrictBase\nclass One(StrictBase):\n    a: int\n"
    document = reconstruct(wheel(types__one=one, resources__things=resource))
    content = document["paths"]["/api/v1/things"]["post"]["requestBody"]["content"]
    assert content == {
        "application/json": {"schema": {"$ref": "#/components/schemas/One"}},
        "application/x-packed": {"schema": {"type": "string", "format": "binary"}},
    }


def test_inline_body_is_named_after_its_path() -> None:
    client = (
        "class Client:\n    def finish(self, session_id: str, how: str):\n"
        "        return self.client.post(f'/api/v1/sessions/{session_id}/finish',\n"
        "            body={'reason': {'type': how}}, cast_to=None)\n"
    )
    result = reconstruct(wheel(lib__client=client))["components"]["schemas"]
    assert result["SessionFinishRequest"]["properties"]["reason"] == {
        "$ref": "#/components/schemas/SessionFinishRequestReason"
    }
    assert result["SessionFinishRequestReason"]["required"] == ["type"]


def test_wheel_with_wrong_hash_is_rejected() -> None:
    locked_wheel("0.4.1")
    with pytest.raises(WheelError, match="sha256"):
        open_wheel("0.4.1", expected_sha256="0" * 64)
